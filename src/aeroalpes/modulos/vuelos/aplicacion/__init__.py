"""Los casos de uso de vuelos: un archivo cada uno."""

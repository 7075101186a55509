"""Los casos de uso de hoteles: un archivo cada uno."""

"""Los casos de uso de gds: un archivo cada uno."""

"""Los casos de uso de cliente: un archivo cada uno."""

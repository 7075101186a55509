"""Los casos de uso de pagos: un archivo cada uno."""

"""Los casos de uso de precios_dinamicos."""

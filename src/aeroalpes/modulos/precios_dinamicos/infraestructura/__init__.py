"""Los adaptadores de precios_dinamicos."""

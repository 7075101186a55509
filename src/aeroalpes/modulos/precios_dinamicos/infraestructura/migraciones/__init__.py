"""Las migraciones de precios_dinamicos."""

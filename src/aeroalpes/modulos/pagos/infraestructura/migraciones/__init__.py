"""Las migraciones de pagos."""

"""Las migraciones de gds."""

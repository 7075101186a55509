"""Las migraciones de hoteles."""

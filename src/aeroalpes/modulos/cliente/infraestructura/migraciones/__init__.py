"""Las migraciones de cliente."""

"""Las migraciones de vehiculos."""

"""Las migraciones de notificaciones."""

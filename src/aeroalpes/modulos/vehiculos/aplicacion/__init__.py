"""Los casos de uso de vehiculos."""

"""Los adaptadores de vehiculos."""

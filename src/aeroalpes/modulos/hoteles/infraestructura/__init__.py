"""Los adaptadores de hoteles."""

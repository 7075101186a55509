"""Los adaptadores de gds."""

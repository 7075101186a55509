"""Los adaptadores de cliente."""

"""Los adaptadores de pagos."""

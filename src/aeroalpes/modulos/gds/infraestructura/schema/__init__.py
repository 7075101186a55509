"""Los contratos de gds, por versión."""

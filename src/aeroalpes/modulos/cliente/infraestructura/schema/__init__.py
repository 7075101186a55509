"""Los contratos de cliente, por versión."""

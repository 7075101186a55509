"""Los contratos de pagos, por versión."""

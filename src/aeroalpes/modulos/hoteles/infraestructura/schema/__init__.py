"""Los contratos de hoteles, por versión."""

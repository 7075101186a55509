"""Los contratos de vehiculos, por versión."""

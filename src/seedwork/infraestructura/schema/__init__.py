"""Los contratos que se publican, por versión."""

"""Los contratos que vuelos publica, por versión."""

"""El modelo de un alquiler: dos funciones puras."""

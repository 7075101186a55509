"""Lo que se puede pedir que cambie."""

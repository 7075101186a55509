"""Lo que se puede preguntar."""

"""Versión 1: `ComandosPago` y `EventosPago`, cada uno con su `.avsc` al lado."""

"""Versión 1: `ComandosGds` y `EventosGds`, cada uno con su `.avsc` al lado."""

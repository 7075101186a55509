"""Versión 1: `EventosReserva` y `ComandosReserva`, cada uno con su `.avsc` al lado."""

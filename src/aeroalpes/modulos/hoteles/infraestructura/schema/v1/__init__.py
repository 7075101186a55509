"""Versión 1: `ComandosHotel` y `EventosHotel`, cada uno con su `.avsc` al lado."""

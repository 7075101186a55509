"""Versión 1: `ComandosVehiculo` y `EventosVehiculo`, cada uno con su `.avsc` al lado."""

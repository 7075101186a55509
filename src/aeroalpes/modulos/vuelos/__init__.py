"""Vuelos: reservar un viaje y llevar su estado."""

"""Servicio de notificaciones: convierte los hechos de una reserva en correos para su cliente."""

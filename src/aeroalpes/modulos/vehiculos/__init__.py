"""El contexto vehiculos: un coche de alquiler en una reserva."""

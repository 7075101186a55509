"""El modelo de una reserva de vuelos."""

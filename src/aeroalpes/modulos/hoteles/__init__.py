"""El contexto hoteles: una noche de hotel en una reserva."""

"""El contexto gds: confirmar las plazas de una reserva con las aerolíneas."""

"""El modelo de una confirmación: las plazas que una reserva tiene, o no, con las aerolíneas."""

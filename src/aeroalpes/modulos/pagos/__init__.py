"""El contexto pagos: cobrar una reserva y devolver lo cobrado."""

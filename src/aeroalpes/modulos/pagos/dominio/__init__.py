"""El modelo de un pago: lo que se cobró y lo que se devolvió de una reserva."""

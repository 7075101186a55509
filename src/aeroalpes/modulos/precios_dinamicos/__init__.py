"""El contexto precios_dinamicos: cuánto cuesta hoy cada ruta, según cuánto se reserva."""

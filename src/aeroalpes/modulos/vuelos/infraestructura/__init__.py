"""Los adaptadores de vuelos: base de datos, mensajes que entran y mensajes que salen."""

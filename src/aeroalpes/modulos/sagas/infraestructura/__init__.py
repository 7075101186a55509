"""Entre las palabras de la saga y los mensajes de los demás contextos."""

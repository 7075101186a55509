"""Versión 2: `EventosReserva`, que convive con la 1 en el mismo tópico. Los comandos siguen en la 1."""

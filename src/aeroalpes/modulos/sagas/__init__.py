"""El contexto sagas: llevar cada reserva hasta el final, o deshacerla."""

"""Los adaptadores: base de datos, brokers, esquemas y el motor de consumo."""

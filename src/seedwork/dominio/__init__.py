"""El vocabulario de DDD, con la biblioteca estándar y nada más."""

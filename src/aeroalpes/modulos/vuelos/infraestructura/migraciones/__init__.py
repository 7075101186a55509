"""Las migraciones de vuelos."""

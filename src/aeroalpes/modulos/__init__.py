"""Los contextos acotados de la agencia."""

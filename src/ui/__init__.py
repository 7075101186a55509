"""La cara de la suite: la página, su websocket y el paso de sus peticiones hacia el API (BFF)."""

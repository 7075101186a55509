"""Arranque de varios procesos en un solo terminal: puertos, orden de estar listos, un log común y parada limpia."""

"""Casos de uso: comandos, queries, el bus que los ejecuta y los puertos que necesitan."""

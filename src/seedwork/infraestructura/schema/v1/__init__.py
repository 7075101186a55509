"""Versión 1 del sobre que comparten todos los mensajes de integración."""

"""Versión 1: `EventosCliente`, con su `.avsc` al lado."""

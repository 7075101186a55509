"""Lectura exacta de un socket, para preguntar en su protocolo a cada servidor sin bibliotecas."""

import socket

from tests.servidores.base import ANFITRION

ESPERA_S = 3.0


def conectar(puerto: int) -> socket.socket:
    return socket.create_connection((ANFITRION, puerto), timeout=ESPERA_S)


def leer(conexion: socket.socket, cuantos: int) -> bytes:
    """Exactamente `cuantos` bytes. `ConnectionError` si el otro cierra antes."""
    leido = b""
    while len(leido) < cuantos:
        parte = conexion.recv(cuantos - len(leido))
        if not parte:
            raise ConnectionError("el servidor cerró la conexión")
        leido += parte
    return leido

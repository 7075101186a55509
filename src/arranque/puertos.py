"""Los puertos se miran antes de arrancar nada: un puerto ocupado es una frase y no la traza de un proceso."""

import errno
import socket
from collections.abc import Iterable, Mapping

from arranque.suite import ArranqueImposible, Puerto

ESPERA_CONEXION_S = 1.0
PUERTO_DE_AIRPLAY = 5000


def leer_puerto(entorno: Mapping[str, str], *, variable: str, omision: int, para: str, host: str) -> Puerto:
    """El puerto que dice `variable`; sin ella, o vacía, `omision`. `ArranqueImposible` si no es un puerto."""
    texto = entorno.get(variable) or str(omision)
    if not (texto.isascii() and texto.isdigit() and 1 <= int(texto) <= 65535):
        raise ArranqueImposible(f"{variable} debe ser un puerto entre 1 y 65535, y es {texto!r}.")
    return Puerto(numero=int(texto), variable=variable, para=para, host=host)


def comprobar_libres(puertos: Iterable[Puerto]) -> None:
    """`ArranqueImposible`, con una frase por puerto que no se pueda usar, si alguno no se puede."""
    quejas: list[str] = []
    vistos: dict[int, Puerto] = {}
    for puerto in puertos:
        if otro := vistos.get(puerto.numero):
            quejas.append(f"{otro.variable} y {puerto.variable} piden el mismo puerto, {puerto.numero}.")
        elif queja := _queja(puerto):
            quejas.append(queja)
        vistos[puerto.numero] = puerto
    if quejas:
        raise ArranqueImposible("\n".join(quejas))


def _queja(puerto: Puerto) -> str | None:
    # Hacen falta las dos preguntas: en macOS, bind admite un puerto que otro escucha en todas las interfaces
    # (así lo hace AirPlay), y conectar no descubre uno reservado sin escuchar ni uno que exige privilegios.
    if _alguien_atiende(puerto):
        return _ocupado(puerto)
    try:
        familia, _, _, _, direccion = socket.getaddrinfo(
            puerto.host, puerto.numero, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(familia, socket.SOCK_STREAM) as prueba:
            prueba.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            prueba.bind(direccion)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _ocupado(puerto)
        motivo = error.strerror or str(error)
        return (
            f"El puerto {puerto.numero}, para {puerto.para}, no se puede usar ({motivo}): "
            f"elija otro con {puerto.variable}."
        )
    return None


def _alguien_atiende(puerto: Puerto) -> bool:
    try:
        with socket.create_connection((puerto.alcanzable, puerto.numero), timeout=ESPERA_CONEXION_S):
            return True
    except OSError:
        return False


def _ocupado(puerto: Puerto) -> str:
    airplay = " (en macOS suele tenerlo el receptor AirPlay)" if puerto.numero == PUERTO_DE_AIRPLAY else ""
    return (
        f"El puerto {puerto.numero}, para {puerto.para}, ya está en uso{airplay}: "
        f"libérelo o elija otro con {puerto.variable}."
    )

"""RabbitMQ, con su consola, y su propio `epmd`: el de la máquina, si lo hay, ni se toca ni se usa."""

import socket
import struct
from types import MappingProxyType

from tests.servidores.base import ANFITRION, Orden, Requisito, Servidor, Sitio
from tests.servidores.binario import conectar, leer
from tests.servidores.instalar import buscar

_CLAVE = b"\0guest\0guest"


class RabbitMQ(Servidor):
    nombre = "rabbitmq"
    puertos = MappingProxyType({"amqp": 17672, "consola": 17673, "nodo": 17674, "epmd": 17675})
    procesos = ("epmd", "rabbitmq")

    def faltan(self) -> list[Requisito]:
        estan = buscar("rabbitmq-server", "/usr/lib/rabbitmq/bin") and buscar("epmd")
        return [] if estan else [Requisito("RabbitMQ", "rabbitmq-server", "rabbitmq")]

    def preparar(self, sitio: Sitio) -> None:
        """No hay nada que preparar: la configuración se escribe en cada arranque."""

    def ordenes(self, sitio: Sitio) -> list[Orden]:
        carpeta, puertos = sitio.carpeta, sitio.puertos
        (carpeta / "plugins").write_text("[rabbitmq_management].\n")
        (carpeta / "rabbit.conf").write_text(
            f"listeners.tcp.1 = {ANFITRION}:{puertos['amqp']}\n"
            f"management.tcp.ip = {ANFITRION}\n"
            f"management.tcp.port = {puertos['consola']}\n"
        )
        epmd = Orden(
            nombre="epmd",
            argumentos=[str(buscar("epmd")), "-address", ANFITRION, "-port", str(puertos["epmd"])],
            carpeta=carpeta,
            puerto=puertos["epmd"],
        )
        entorno = {
            "HOME": str(carpeta),
            "ERL_EPMD_ADDRESS": ANFITRION,
            "ERL_EPMD_PORT": str(puertos["epmd"]),
            "RABBITMQ_NODENAME": "aeroalpes@localhost",
            "RABBITMQ_NODE_PORT": str(puertos["amqp"]),
            "RABBITMQ_DIST_PORT": str(puertos["nodo"]),
            "RABBITMQ_MNESIA_BASE": str(carpeta / "datos"),
            "RABBITMQ_LOG_BASE": str(carpeta / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(carpeta / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(carpeta / "rabbit.conf"),
            "RABBITMQ_PID_FILE": str(carpeta / "nodo.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # Así el guion se convierte en el nodo en vez de quedarse de padre, y el pid anotado es el del nodo.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
        }
        guion = str(buscar("rabbitmq-server", "/usr/lib/rabbitmq/bin"))
        return [epmd, Orden(nombre="rabbitmq", argumentos=[guion], carpeta=carpeta, entorno=entorno)]

    def atiende(self, sitio: Sitio) -> bool:
        with conectar(sitio.puertos["amqp"]) as conexion:
            conexion.sendall(b"AMQP\0\0\x09\x01")
            _esperar(conexion, 10)
            _mandar(conexion, 11, _larga(b"") + _corta(b"PLAIN") + _larga(_CLAVE) + _corta(b"en_US"))
            _mandar(conexion, 31, _esperar(conexion, 30)[:8])
            _mandar(conexion, 40, _corta(b"/") + _corta(b"") + b"\0")
            _esperar(conexion, 41)
            _mandar(conexion, 50, struct.pack("!H", 200) + _corta(b"") + struct.pack("!HH", 0, 0))
            _esperar(conexion, 51)
            return True

    def urls(self, sitio: Sitio) -> dict[str, str]:
        return {
            "TEST_RABBITMQ_URL": f"amqp://guest:guest@{ANFITRION}:{sitio.puertos['amqp']}/",
            "TEST_RABBITMQ_ADMIN_URL": f"http://guest:guest@{ANFITRION}:{sitio.puertos['consola']}",
        }


def _corta(texto: bytes) -> bytes:
    return bytes([len(texto)]) + texto


def _larga(texto: bytes) -> bytes:
    return struct.pack("!I", len(texto)) + texto


def _mandar(conexion: socket.socket, metodo: int, argumentos: bytes) -> None:
    """Un método de la clase `connection` de AMQP 0-9-1, por el canal 0."""
    cuerpo = struct.pack("!HH", 10, metodo) + argumentos
    conexion.sendall(struct.pack("!BHI", 1, 0, len(cuerpo)) + cuerpo + b"\xce")


def _esperar(conexion: socket.socket, metodo: int) -> bytes:
    """Los argumentos del método, que ha de ser ese."""
    _tipo, _canal, largo = struct.unpack("!BHI", leer(conexion, 7))
    cuerpo = leer(conexion, largo + 1)
    if struct.unpack("!HH", cuerpo[:4]) != (10, metodo):
        raise ConnectionError("RabbitMQ contestó otra cosa")
    return cuerpo[4:-1]

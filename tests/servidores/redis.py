"""Redis, con su diario (AOF): lo confirmado sobrevive a una parada."""

from types import MappingProxyType

from tests.servidores.base import ANFITRION, Orden, Requisito, Servidor, Sitio
from tests.servidores.binario import conectar, leer
from tests.servidores.instalar import buscar


class Redis(Servidor):
    nombre = "redis"
    puertos = MappingProxyType({"redis": 17379})
    procesos = ("redis",)

    def faltan(self) -> list[Requisito]:
        return [] if buscar("redis-server") else [Requisito("Redis", "redis-server", "redis")]

    def preparar(self, sitio: Sitio) -> None:
        """No hay nada que preparar: Redis crea lo suyo al arrancar."""

    def ordenes(self, sitio: Sitio) -> list[Orden]:
        argumentos = [
            str(buscar("redis-server")),
            *("--port", str(sitio.puertos["redis"])),
            *("--bind", ANFITRION),
            *("--dir", str(sitio.carpeta)),
            *("--appendonly", "yes"),
            *("--save", ""),
        ]
        return [Orden(nombre="redis", argumentos=argumentos, carpeta=sitio.carpeta)]

    def atiende(self, sitio: Sitio) -> bool:
        with conectar(sitio.puertos["redis"]) as conexion:
            conexion.sendall(b"PING\r\n")
            return leer(conexion, 7) == b"+PONG\r\n"

    def urls(self, sitio: Sitio) -> dict[str, str]:
        return {"TEST_REDIS_URL": f"redis://{ANFITRION}:{sitio.puertos['redis']}/0"}

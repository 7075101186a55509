"""Pulsar standalone: broker, BookKeeper y metadatos en un proceso."""

import json
import re
import socket
import urllib.request
from pathlib import Path
from types import MappingProxyType

from tests.servidores import instalar
from tests.servidores.base import ANFITRION, Orden, Requisito, Servidor, Sitio
from tests.servidores.binario import ESPERA_S

VERSION = "4.0.8"
_ARTEFACTO = f"org.apache.pulsar:pulsar-server-distribution:{VERSION}:tar.gz:bin"


class Pulsar(Servidor):
    nombre = "pulsar"
    puertos = MappingProxyType({"pulsar": 17650, "admin": 17651, "bookkeeper": 17652})
    procesos = ("pulsar",)
    plazo_parada_s = 30.0

    def faltan(self) -> list[Requisito]:
        return instalar.faltan_de_java(distribucion())

    def preparar(self, sitio: Sitio) -> None:
        distribucion().obtener()
        (sitio.carpeta / "tmp").mkdir(exist_ok=True)

    def ordenes(self, sitio: Sitio) -> list[Orden]:
        casa, carpeta = distribucion().obtener(), sitio.carpeta
        entorno = {
            "JAVA_HOME": str(instalar.java().casa),
            "PULSAR_STANDALONE_CONF": _configurar(casa, sitio),
            "PULSAR_LOG_DIR": str(carpeta / "log"),
            "PULSAR_MEM": "-Xms256m -Xmx512m -XX:MaxDirectMemorySize=512m",
            # Lo que trae de fábrica (ZGC, toda la memoria tocada al arrancar) es para máquinas grandes.
            "PULSAR_GC": "-XX:+UseG1GC -XX:+PerfDisableSharedMem",
            "PULSAR_GC_LOG": "-Xlog:disable",
            "PULSAR_EXTRA_OPTS": f"-Dpulsar.allocator.exit_on_oom=true -Djava.io.tmpdir={carpeta / 'tmp'}",
        }
        argumentos = [
            *(str(casa / "bin" / "pulsar"), "standalone", "--no-functions-worker", "--no-stream-storage"),
            *("--metadata-dir", str(carpeta / "metadatos")),
            *("--bookkeeper-dir", str(carpeta / "bookkeeper")),
            *("--bookkeeper-port", str(sitio.puertos["bookkeeper"])),
        ]
        return [Orden(nombre="pulsar", argumentos=argumentos, carpeta=carpeta, entorno=entorno)]

    def atiende(self, sitio: Sitio) -> bool:
        """Su propio examen (publica y recibe un mensaje) sale bien, y ya existe el namespace por defecto."""
        admin = f"http://{ANFITRION}:{sitio.puertos['admin']}/admin/v2"
        return "public/default" in json.loads(_pedir(f"{admin}/namespaces/public")) and (
            _pedir(f"{admin}/brokers/health").strip() == b"ok"
        )

    def urls(self, sitio: Sitio) -> dict[str, str]:
        return {
            "TEST_PULSAR_URL": f"pulsar://{ANFITRION}:{sitio.puertos['pulsar']}",
            "TEST_PULSAR_ADMIN_URL": f"http://{ANFITRION}:{sitio.puertos['admin']}",
        }


def distribucion() -> instalar.Descarga:
    """El tarball del servidor, que trae también su cliente de línea de órdenes."""
    return instalar.Descarga(f"pulsar-{VERSION}", instalar.archivo_tar(_ARTEFACTO))


def _pedir(url: str) -> bytes:
    # Sin proxy: en una máquina que lo tenga puesto, a loopback tampoco se llega por él.
    abridor = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with abridor.open(url, timeout=ESPERA_S) as respuesta:
        return bytes(respuesta.read())


def _configurar(casa: Path, sitio: Sitio) -> str:
    ajustes = {
        "brokerServicePort": str(sitio.puertos["pulsar"]),
        "webServicePort": str(sitio.puertos["admin"]),
        "bindAddress": ANFITRION,
        "advertisedAddress": ANFITRION,
        # Son del BookKeeper de dentro: sin ellos escucharía en todas las direcciones y en un puerto cualquiera.
        "listeningInterface": next(nombre for _, nombre in socket.if_nameindex() if nombre.startswith("lo")),
        "allowEphemeralPorts": "true",
        "narExtractionDirectory": str(sitio.carpeta / "tmp"),
        "schemaCompatibilityStrategy": "FULL",
        "delayedDeliveryTickTimeMillis": "1000",
    }
    texto = (casa / "conf" / "standalone.conf").read_text()
    texto = re.sub(rf"(?m)^({'|'.join(ajustes)})=.*\n", "", texto)
    archivo = sitio.carpeta / "standalone.conf"
    archivo.write_text(texto + "\n" + "".join(f"{clave}={valor}\n" for clave, valor in ajustes.items()))
    return str(archivo)

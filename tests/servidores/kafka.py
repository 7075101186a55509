"""Kafka en modo KRaft: un solo proceso que es broker y controlador."""

import base64
import struct
import subprocess
import uuid
from types import MappingProxyType

from tests.servidores import instalar
from tests.servidores.base import ANFITRION, NoDisponible, Orden, Requisito, Servidor, Sitio
from tests.servidores.binario import conectar, leer

VERSION = "4.1.1"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>aeroalpes</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""
_METADATOS, _VERSION_METADATOS, _PREGUNTA = 3, 4, 7


class Kafka(Servidor):
    nombre = "kafka"
    puertos = MappingProxyType({"kafka": 17092, "controlador": 17093})
    procesos = ("kafka",)

    def faltan(self) -> list[Requisito]:
        return instalar.faltan_de_java(_carpeta_jars())

    def preparar(self, sitio: Sitio) -> None:
        id_cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formato = [*_java("kafka.tools.StorageTool"), "format", f"--cluster-id={id_cluster}", "-c", _configurar(sitio)]
        hecho = subprocess.run(formato, cwd=sitio.carpeta, capture_output=True, text=True, check=False)
        if hecho.returncode:
            raise NoDisponible(f"Kafka no pudo preparar su carpeta: {(hecho.stderr or hecho.stdout).strip()[-600:]}")

    def ordenes(self, sitio: Sitio) -> list[Orden]:
        argumentos = [*_java("kafka.Kafka"), _configurar(sitio)]
        return [Orden(nombre="kafka", argumentos=argumentos, carpeta=sitio.carpeta)]

    def atiende(self, sitio: Sitio) -> bool:
        """Contesta a Metadata, y ya se tiene a sí mismo por broker del cluster."""
        with conectar(sitio.puertos["kafka"]) as conexion:
            cabecera = struct.pack("!hhih", _METADATOS, _VERSION_METADATOS, _PREGUNTA, -1)
            cuerpo = cabecera + struct.pack("!i?", 0, False)
            conexion.sendall(struct.pack("!i", len(cuerpo)) + cuerpo)
            (largo,) = struct.unpack("!i", leer(conexion, 4))
            pregunta, _espera_ms, brokers = struct.unpack_from("!iii", leer(conexion, largo))
            return bool(pregunta == _PREGUNTA and brokers >= 1)

    def urls(self, sitio: Sitio) -> dict[str, str]:
        return {"TEST_KAFKA_URL": f"kafka://{ANFITRION}:{sitio.puertos['kafka']}"}


def _carpeta_jars() -> instalar.Descarga:
    return instalar.Descarga(f"kafka-{VERSION}", instalar.dependencias(_POM))


def _java(clase: str) -> list[str]:
    jars = _carpeta_jars().obtener()
    return [str(instalar.java().programa), "-Xms128m", "-Xmx512m", "-cp", f"{jars}/*", clase]


def _configurar(sitio: Sitio) -> str:
    puerto, controlador = sitio.puertos["kafka"], sitio.puertos["controlador"]
    ajustes = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{ANFITRION}:{controlador}",
        "listeners": f"PLAINTEXT://{ANFITRION}:{puerto},CONTROLLER://{ANFITRION}:{controlador}",
        "advertised.listeners": f"PLAINTEXT://{ANFITRION}:{puerto}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(sitio.carpeta / "datos"),
        "num.partitions": "4",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # Por defecto reserva 128 MB de memoria para compactar; aquí los topics son pequeños.
        "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
    }
    archivo = sitio.carpeta / "server.properties"
    archivo.write_text("".join(f"{clave}={valor}\n" for clave, valor in ajustes.items()))
    return str(archivo)

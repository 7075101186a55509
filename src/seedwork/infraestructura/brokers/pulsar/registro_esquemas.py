"""El registro de esquemas de Pulsar: qué revisiones hay en cada tópico, y con cuál está escrito cada mensaje.

Se registra por HTTP, que dice por qué no. Se consulta por el puerto del broker, que es el que siempre está abierto.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

import pulsar
from fastavro.schema import SchemaParseException
from pulsar.schema import AvroSchema

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker, EsquemaRechazado
from seedwork.infraestructura.brokers.pulsar.administracion import crear_topico, pedir
from seedwork.infraestructura.brokers.pulsar.cliente import Cliente
from seedwork.infraestructura.compatibilidad import por_que_no_lee
from seedwork.infraestructura.esquemas import huella_de

ESTRATEGIA = "FULL_TRANSITIVE"
_ULTIMO = -1
_OLVIDO_S = 30.0  # lo que no estaba se vuelve a buscar pasado este tiempo


class RegistroPulsar:
    """Implementa `RegistroEsquemas`."""

    def __init__(self, cliente: Cliente) -> None:
        self._cliente = cliente
        self._vistos: dict[tuple[str, str], Escrito] = {}
        self._faltan_hasta_s: dict[tuple[str, str], float] = {}

    async def registrar(self, topico: str, revisiones: Sequence[Mapping[str, Any]]) -> int:
        nuevas = await asyncio.to_thread(self._registrar, topico, revisiones)
        self._faltan_hasta_s.clear()
        return nuevas

    async def buscar(self, topico: str, huella: str) -> dict[str, Any] | None:
        escrito = await self.escrito_con(topico, huella)
        return None if escrito is None else escrito.avro

    async def escrito_con(self, topico: str, huella: str) -> Escrito | None:
        """Con qué se crea el productor de lo escrito con ese esquema; None si no está registrado en el tópico."""
        buscado = (topico, huella)
        if buscado not in self._vistos and time.monotonic() >= self._faltan_hasta_s.get(buscado, 0.0):
            ruta = self._cliente.direccion.topico(topico)
            for avro in await self._cliente.hacer(lambda cliente: _registrados(cliente, ruta, huella)):
                self._vistos.setdefault((topico, huella_de(avro)), Escrito(avro))
            self._faltan_hasta_s[buscado] = time.monotonic() + _OLVIDO_S
        return self._vistos.get(buscado)

    def _registrar(self, topico: str, revisiones: Sequence[Mapping[str, Any]]) -> int:
        ruta = f"{self._cliente.direccion.espacio}/{topico}"
        self._exigir_compatibilidad(ruta)
        previas = self._pedir("GET", f"schemas/{ruta}/schemas")["getSchemaResponses"]
        versiones = {self._anadir(topico, avro, previas) for avro in revisiones}
        return len(versiones - {previa["version"] for previa in previas})

    def _anadir(self, topico: str, avro: Mapping[str, Any], previas: Sequence[Mapping[str, Any]]) -> int:
        esquema = {"type": "AVRO", "schema": json.dumps(avro), "properties": {}}
        try:
            respuesta = self._pedir("POST", f"schemas/{self._cliente.direccion.espacio}/{topico}/schema", esquema)
        except EsquemaRechazado as error:
            choques = [razon for previa in previas if (razon := _choque(dict(avro), previa)) is not None]
            raise EsquemaRechazado(
                f"Pulsar no acepta {avro.get('namespace')}.{avro['name']} en {topico}: {'; '.join(choques) or error}"
            ) from error
        return int(respuesta["version"]["version"])

    def _exigir_compatibilidad(self, ruta: str) -> None:
        """Que todo lo que se registre se entienda con todo lo registrado; en este tópico y en ninguno ajeno."""
        estrategia = f"persistent/{ruta}/schemaCompatibilityStrategy"
        try:
            vigente = self._pedir("GET", estrategia)
        except _NoExiste:
            with self._traduciendo(f"crear {ruta}"):  # la política es de un tópico que exista
                crear_topico(self._cliente.direccion, f"persistent/{ruta}")
            vigente = None
        if vigente != ESTRATEGIA:
            self._pedir("PUT", estrategia, ESTRATEGIA)

    def _pedir(self, metodo: str, ruta: str, cuerpo: Any = None) -> Any:
        with self._traduciendo(f"{metodo} {ruta}"):
            return pedir(self._cliente.direccion, metodo, ruta, cuerpo)

    @contextmanager
    def _traduciendo(self, peticion: str) -> Iterator[None]:
        admin = self._cliente.direccion.admin
        try:
            yield
        except HTTPError as error:
            frase = f"{admin} responde {error.code} a {peticion}: {error.reason}"
            if error.code >= 500:
                raise BrokerNoDisponible(frase) from error
            raise _DE_CODIGO.get(error.code, ErrorBroker)(frase) from error
        except (OSError, HTTPException, ValueError) as error:
            raise BrokerNoDisponible(f"La administración de Pulsar, {admin}, no responde: {error}") from error


class Escrito(AvroSchema):  # type: ignore[misc]
    """El esquema de un productor cuyos bytes ya están escritos con él: sólo lo nombra."""

    def __init__(self, avro: dict[str, Any]) -> None:
        super().__init__(None, schema_definition=avro)
        self.avro = avro

    def encode(self, obj: bytes) -> bytes:
        return obj


class _NoExiste(ErrorBroker):
    """El namespace o el tópico no existen."""


_DE_CODIGO: dict[int, type[ErrorBroker]] = {404: _NoExiste, 409: EsquemaRechazado, 422: EsquemaRechazado}


def _choque(avro: dict[str, Any], previa: Mapping[str, Any]) -> str | None:
    """Por qué no se entiende con uno ya registrado; None si se entiende, o si aquel no es Avro."""
    try:
        registrado = json.loads(previa["data"])
        razon = por_que_no_lee(avro, registrado) or por_que_no_lee(registrado, avro)
    except (ValueError, KeyError, TypeError):
        return f"la versión {previa['version']} no es un registro de Avro"
    return razon and f"con la versión {previa['version']}, {razon}"


def _registrados(cliente: pulsar.Client, topico: str, huella: str) -> list[dict[str, Any]]:
    """El último, que suele ser el que se busca, y si no lo es, todos."""
    ultimo = _leer(cliente, topico, _ULTIMO)
    if ultimo is None or huella_de(ultimo) == huella:
        return [] if ultimo is None else [ultimo]
    anteriores: list[dict[str, Any]] = []
    while (avro := _leer(cliente, topico, len(anteriores))) is not None:
        anteriores.append(avro)
    return [ultimo, *anteriores]


def _leer(cliente: pulsar.Client, topico: str, version: int) -> dict[str, Any] | None:
    try:
        # Lo que hace su `AvroSchema` al leer; el cliente de Python no lo ofrece de otro modo.
        avro: dict[str, Any] = json.loads(cliente._client.get_schema_info(topico, version).schema())
        huella_de(avro)
        return avro if avro["type"] == "record" else None
    except (pulsar.TopicNotFound, ValueError, KeyError, TypeError, SchemaParseException):
        return None  # no hay tal versión, o no es un registro de Avro

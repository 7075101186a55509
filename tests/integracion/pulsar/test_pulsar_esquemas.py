"""El registro de esquemas de Pulsar: qué se registra, qué no se acepta, y que un cliente ajeno lee lo publicado."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import fastavro
import pulsar
import pytest
from click.testing import CliRunner, Result
from pulsar.schema import AvroSchema
from tests.integracion.pulsar.espacio import REVISIONES, TOPICO, Espacio, creada
from tests.servidores import instalar
from tests.servidores.pulsar import distribucion

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos as v1
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos as v2
from seedwork.infraestructura.brokers import (
    BrokerConEsquemas,
    BrokerNoDisponible,
    ErrorBroker,
    EsquemaRechazado,
    Mensaje,
    conectar,
)
from seedwork.infraestructura.brokers.pulsar import BrokerPulsar
from seedwork.infraestructura.esquemas import esquema_de
from seedwork.presentacion.cli import seedwork


@pytest.fixture
def espacio() -> Espacio:
    return Espacio()


@pytest.fixture
async def broker(espacio: Espacio) -> AsyncIterator[BrokerPulsar]:
    broker = conectar(espacio.url)
    assert isinstance(broker, BrokerPulsar)
    assert isinstance(broker, BrokerConEsquemas)
    yield broker
    await broker.cerrar()


def con_hotel() -> Mensaje:
    hotel = v2.Hotel(hotel="Dann Carlton", fecha="2026-11-22")
    return creada(v2, monto=24_000, moneda="EUR", hotel=hotel, vehiculo=v2.Vehiculo(dias=3, edad_conductor=30))


def incompatible() -> dict[str, Any]:
    otro = copy.deepcopy(REVISIONES[-1])
    otro["fields"][0]["type"] = "long"
    return otro


async def test_registrar_dos_veces_es_registrar_una_y_solo_en_su_topico_se_exige_compatibilidad(
    espacio: Espacio, broker: BrokerPulsar
) -> None:
    assert await broker.esquemas.registrar(TOPICO, REVISIONES[:2]) == 2
    assert await broker.esquemas.registrar(TOPICO, REVISIONES) == 1
    assert await broker.esquemas.registrar(TOPICO, REVISIONES) == 0
    assert [r["namespace"] for r in espacio.registrados()] == [f"aeroalpes.vuelos.v{n}" for n in (1, 1, 2)]
    politica = "schemaCompatibilityStrategy"
    assert espacio.pedir("GET", f"persistent/{espacio.nombre}/{TOPICO}/{politica}") == "FULL_TRANSITIVE"
    assert espacio.pedir("GET", f"namespaces/{espacio.nombre}/{politica}") == "UNDEFINED"


async def test_varios_que_registran_a_la_vez_en_un_topico_nuevo_lo_consiguen_todos(espacio: Espacio) -> None:
    brokers = [conectar(espacio.url) for _ in range(6)]
    try:
        registran = (b.esquemas.registrar(TOPICO, REVISIONES) for b in brokers if isinstance(b, BrokerConEsquemas))
        assert len(await asyncio.gather(*registran)) == len(brokers)
    finally:
        await asyncio.gather(*(broker.cerrar() for broker in brokers))
    assert len(espacio.registrados()) == 3


async def test_lo_incompatible_no_se_registra_y_se_dice_por_que(espacio: Espacio, broker: BrokerPulsar) -> None:
    await broker.esquemas.registrar(TOPICO, REVISIONES)
    with pytest.raises(EsquemaRechazado, match=r"v2\.EventosReserva en eventos-reserva: con la versión 0, .*\.id"):
        await broker.esquemas.registrar(TOPICO, [incompatible()])
    with pytest.raises(EsquemaRechazado, match="responde 422"):
        await broker.esquemas.registrar("otro", [{"type": "record", "name": "R", "fields": [{"name": "sin-tipo"}]}])
    assert espacio.registrados() == [json.loads(json.dumps(revision)) for revision in REVISIONES]


async def test_la_administracion_caida_y_el_namespace_que_falta_se_dicen(espacio: Espacio) -> None:
    caida = conectar(f"{espacio.servicio}/{espacio.nombre}?admin=http://127.0.0.1:1")
    ausente = conectar(f"{espacio.servicio}/public/no-existe?admin={espacio.admin}")
    assert isinstance(caida, BrokerPulsar)
    assert isinstance(ausente, BrokerPulsar)
    try:
        with pytest.raises(
            BrokerNoDisponible, match=r"La administración de Pulsar, http://127\.0\.0\.1:1, no responde"
        ):
            await caida.esquemas.registrar(TOPICO, REVISIONES)
        with pytest.raises(ErrorBroker, match="responde 404"):
            await ausente.esquemas.registrar(TOPICO, REVISIONES)
    finally:
        await caida.cerrar()
        await ausente.cerrar()


async def test_se_busca_por_huella_por_el_puerto_del_broker(espacio: Espacio, broker: BrokerPulsar) -> None:
    await broker.esquemas.registrar(TOPICO, REVISIONES)
    otro = conectar(f"{espacio.servicio}/{espacio.nombre}?admin=http://127.0.0.1:1")  # sin administración
    assert isinstance(otro, BrokerPulsar)
    try:
        for tipo in (v1.EventosReserva, v2.EventosReserva):
            esquema = esquema_de(tipo)
            assert await otro.esquemas.buscar(TOPICO, esquema.huella) == esquema.avro
        assert await otro.esquemas.buscar(TOPICO, "de nadie") is None
        assert await otro.esquemas.buscar("sin-esquemas", esquema.huella) is None
    finally:
        await otro.cerrar()


async def test_cada_mensaje_dice_con_que_version_esta_escrito_y_el_orden_se_mantiene(
    espacio: Espacio, broker: BrokerPulsar
) -> None:
    antes, *despues = [replace(creada(version), clave="k") for version in (v1, v1, v2, v2, v1)]
    await broker.publicar([antes])  # sin registrar: sin versión, y se publica igual
    await broker.esquemas.registrar(TOPICO, REVISIONES)
    await broker.publicar(despues)
    cliente = pulsar.Client(espacio.servicio, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
    try:
        lector = cliente.create_reader(espacio.topico, pulsar.MessageId.earliest)
        recibidos = [lector.read_next(10_000) for _ in range(5)]
    finally:
        cliente.close()
    assert [m._message.int_schema_version() for m in recibidos] == [-1, 1, 2, 2, 1]
    assert [m.data() for m in recibidos] == [m.cuerpo for m in (antes, *despues)]


async def test_donde_se_exige_esquema_lo_no_registrado_espera_y_se_dice_que_correr(
    espacio: Espacio, broker: BrokerPulsar
) -> None:
    espacio.pedir("POST", f"namespaces/{espacio.nombre}/schemaValidationEnforced", True)
    await broker.esquemas.registrar(TOPICO, REVISIONES[:2])
    nueva = creada(v2)
    with pytest.raises(BrokerNoDisponible, match="exige un esquema registrado: corra `seedwork esquemas publicar`"):
        await broker.publicar([nueva])
    await broker.esquemas.registrar(TOPICO, REVISIONES)
    await broker.publicar([nueva])


def _leer_con_java(espacio: Espacio, cuantos: int) -> str:
    """Lo que imprime `pulsar-client consume`, el cliente de línea de órdenes de la distribución del servidor."""
    entorno = {
        **os.environ,
        "JAVA_HOME": str(instalar.java().casa),
        "PULSAR_EXTRA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # vive un momento: que arranque deprisa
    }
    mandato = [str(distribucion().obtener() / "bin" / "pulsar-client"), "--url", espacio.servicio, "consume"]
    opciones = ["-s", "ajena", "-p", "Earliest", "-n", str(cuantos), "-st", "auto_consume"]
    corrida = subprocess.run(
        [*mandato, *opciones, espacio.topico], env=entorno, capture_output=True, text=True, timeout=120, check=True
    )
    return corrida.stdout


async def test_un_cliente_ajeno_de_java_y_otro_de_python_leen_lo_que_se_publica(
    espacio: Espacio, broker: BrokerPulsar
) -> None:
    await broker.esquemas.registrar(TOPICO, REVISIONES)
    vieja, nueva = creada(v1, monto=12_000), con_hotel()
    await broker.publicar([vieja, nueva])

    leido = _leer_con_java(espacio, 2)
    assert f"id_reserva={vieja.clave}" in leido
    assert f"id_reserva={nueva.clave}" in leido
    assert "hotel={fecha=2026-11-22, hotel=Dann Carlton}" in leido
    assert "vehiculo={dias=3, edad_conductor=30}" in leido

    cliente = pulsar.Client(espacio.servicio, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
    try:
        de_la_1 = AvroSchema(None, schema_definition=copy.deepcopy(REVISIONES[1]))
        consumidor = cliente.subscribe(
            espacio.topico, "python", schema=de_la_1, initial_position=pulsar.InitialPosition.Earliest
        )
        recibidos = {recibido.partition_key(): recibido for recibido in (consumidor.receive(10_000) for _ in range(2))}
        registros = [recibidos[mensaje.clave].value() for mensaje in (vieja, nueva)]
    finally:
        cliente.close()
    assert [registro["reserva_creada"]["id_reserva"] for registro in registros] == [vieja.clave, nueva.clave]
    assert [registro["reserva_creada"]["monto"] for registro in registros] == [12_000, 24_000]

    # Y quien no tiene ningún esquema, con el que dice el registro que se usó.
    version = recibidos[nueva.clave]._message.int_schema_version()
    respuesta = espacio.pedir("GET", f"schemas/{espacio.nombre}/{TOPICO}/schema/{version}")
    entero: Any = fastavro.schemaless_reader(io.BytesIO(nueva.cuerpo), json.loads(respuesta["data"]), None)
    assert entero["reserva_creada"]["hotel"] == {"hotel": "Dann Carlton", "fecha": "2026-11-22"}


def test_el_mandato_registra_los_esquemas_y_repetirlo_no_cambia_nada(espacio: Espacio) -> None:
    def publicar(url: str) -> Result:
        return CliRunner().invoke(seedwork, ["esquemas", "publicar", "aeroalpes.modulos.vuelos", "--broker", url])

    primera, segunda = publicar(espacio.url), publicar(espacio.url)
    assert (primera.exit_code, segunda.exit_code) == (0, 0), primera.output
    assert "eventos-reserva: 3 revisiones, 3 nuevas" in primera.stderr
    assert "eventos-reserva: 3 revisiones, 0 nuevas" in segunda.stderr
    assert [avro["name"] for avro in espacio.registrados("comandos-reserva")] == ["ComandosReserva"] * 2
    caida = publicar(f"{espacio.servicio}/{espacio.nombre}?admin=http://127.0.0.1:1")
    assert isinstance(caida.exception, BrokerNoDisponible)

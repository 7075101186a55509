"""Un proceso que aún no conoce la versión con que otro ya escribe: la pide, o espera; nada se pierde."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest
from tests.integracion.pulsar.espacio import REVISIONES, Espacio, creada

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos as v1
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos as v2
from seedwork import Mensaje, Mensajeria, Reintentos, conectar
from seedwork.infraestructura import consumidor
from seedwork.infraestructura.brokers import BrokerConEsquemas
from seedwork.infraestructura.esquemas import esquema_de
from ui.configuracion import Configuracion
from ui.fuente import eventos

HUELLA_V2 = esquema_de(v2.EventosReserva).huella


@pytest.fixture
def sin_la_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Como si este proceso se hubiera desplegado antes de que hubiera versión 2."""
    monkeypatch.delitem(esquema_de(v1.EventosReserva).escritores, HUELLA_V2)  # type: ignore[arg-type]


def oyente(url: str, oidos: list[str]) -> Mensajeria:
    mensajeria = Mensajeria(url, servicio="viejo")

    @mensajeria.message_handler(v1.TOPICO, suscripcion="viejo", reintentos=Reintentos(maximo=0))
    async def oir(evento: v1.EventosReserva) -> None:
        assert evento.reserva_creada is not None
        oidos.append(evento.reserva_creada.id_reserva)

    return mensajeria


async def hasta(condicion: Callable[[], Any]) -> None:
    async with asyncio.timeout(15):
        while not condicion():
            await asyncio.sleep(0.01)


async def publicar(url: str, *mensajes: Mensaje) -> None:
    broker = conectar(url)
    try:
        await broker.publicar(mensajes)
    finally:
        await broker.cerrar()


async def registrar_y_publicar(url: str) -> Mensaje:
    broker = conectar(url)
    assert isinstance(broker, BrokerConEsquemas)
    try:
        await broker.esquemas.registrar(v2.TOPICO, REVISIONES)
        nueva = creada(v2, monto=24_000, hotel=v2.Hotel(hotel="Dann Carlton", fecha="2026-11-22"))
        await broker.publicar([nueva])
        return nueva
    finally:
        await broker.cerrar()


@pytest.mark.usefixtures("sin_la_2")
async def test_sin_registro_espera_a_que_lo_releven_y_lo_demas_sigue(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumidor, "ESPERA_DE_ESQUEMA", Reintentos(maximo=None, espera_s=0.05))
    url, oidos = f"embebido:///{tmp_path}/broker.db", list[str]()
    nueva, vieja = creada(v2), creada(v1)
    async with oyente(url, oidos) as mensajeria:
        await publicar(url, nueva, vieja)
        await hasta(lambda: oidos == [vieja.clave])
        assert await mensajeria.broker.letras_muertas.listar() == []
    esquema_de(v1.EventosReserva).admitir(esquema_de(v2.EventosReserva).avro)  # el que lo releva ya la conoce
    async with oyente(url, oidos):
        await hasta(lambda: oidos == [vieja.clave, nueva.clave])


@pytest.mark.usefixtures("sin_la_2")
async def test_si_nadie_lo_releva_acaba_en_las_letras_muertas_con_sus_bytes_y_se_puede_reenviar(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumidor, "ESPERA_DE_ESQUEMA", Reintentos(maximo=2, espera_s=0.01))
    url, oidos = f"embebido:///{tmp_path}/broker.db", list[str]()
    nueva = creada(v2)
    await publicar(url, nueva)
    async with oyente(url, oidos) as mensajeria:
        letras = mensajeria.broker.letras_muertas
        async with asyncio.timeout(15):
            while not (apartadas := await letras.listar()):
                await asyncio.sleep(0.01)
        (apartada,) = apartadas
        assert f"El esquema {HUELLA_V2} de EventosReserva no está publicado aquí" in apartada.motivo
        assert (apartada.mensaje.cuerpo, apartada.intentos) == (nueva.cuerpo, 3)
        esquema_de(v1.EventosReserva).admitir(esquema_de(v2.EventosReserva).avro)
        assert await letras.reenviar(apartada.id)
        await hasta(lambda: oidos == [nueva.clave])


@pytest.mark.usefixtures("sin_la_2")
async def test_en_pulsar_se_lo_pide_al_registro_y_lo_lee_al_momento(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumidor, "ESPERA_DE_ESQUEMA", Reintentos(maximo=0))  # esperar no le serviría
    espacio, oidos = Espacio(), list[str]()
    nueva = await registrar_y_publicar(espacio.url)
    async with oyente(espacio.url, oidos) as mensajeria:
        await hasta(lambda: oidos == [nueva.clave])
        assert await mensajeria.broker.letras_muertas.listar() == []


@pytest.mark.usefixtures("sin_la_2")
async def test_la_pagina_tambien_se_lo_pide_al_registro_de_pulsar(monkeypatch: pytest.MonkeyPatch) -> None:
    espacio = Espacio()
    monkeypatch.setenv("BROKER_URL", espacio.url)
    nueva = await registrar_y_publicar(espacio.url)
    async with asyncio.timeout(30), aclosing(eventos(Configuracion())) as contados:
        contado = await anext(contados)
    assert (contado["id"], contado["data"]["id_reserva"]) == (nueva.cabeceras["id"], nueva.clave)
    assert contado["data"]["monto"] == 24_000

"""Publicar esperando el acuse: si el broker se cae de verdad, lanza; cuando vuelve, publica."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit, urlunsplit

import pytest
from tests.contratos.banco_redis import url_de_redis
from tests.integracion.intermediario import Intermediario

from seedwork import Mensajeria
from seedwork.infraestructura.brokers import BrokerNoDisponible

PLAZO_S = 30.0


@pytest.mark.capacidad("M04")
async def test_con_el_broker_caido_lanza_y_cuando_vuelve_publica() -> None:
    partes = urlsplit(url_de_redis())
    async with Intermediario(partes.port or 6379).abierto() as red:
        url = urlunsplit(partes._replace(netloc=f"127.0.0.1:{red.puerto}", query="prefijo=productor"))
        async with Mensajeria(url, servicio="s", consumir=False) as mensajeria:
            productor = mensajeria.get_producer()
            await productor.send(topic="pedidos", message={"id": 1})

            red.colgar(atiende=False)
            async with asyncio.timeout(PLAZO_S):
                with pytest.raises(BrokerNoDisponible):
                    await productor.send(topic="pedidos", message={"id": 2})
                with pytest.raises(BrokerNoDisponible):
                    await mensajeria.publish_event("pedido.creado", {"id": 2})

            red.seguir()
            async with asyncio.timeout(PLAZO_S):
                await productor.send(topic="pedidos", message={"id": 3})

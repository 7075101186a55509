"""El correo de una reserva va a la dirección de su cliente, si se conoce: notificaciones guarda su propia copia."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from tests.e2e.oficina import Oficina, abierta
from tests.e2e.suite import DESTINATARIO, SuiteReal
from tests.integracion.eventos_reserva import SERVICIO, conectado
from tests.procesos import hasta

from aeroalpes.modulos.cliente.infraestructura.schema.v1 import eventos as eventos_cliente
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms, sobre

DE_HACE_RATO_MS = 3_600_000


def creada(id_cliente: UUID, hace_ms: int = 0) -> Mensaje:
    id = str(uuid4())
    variante = eventos.ReservaCreada(id_reserva=id, id_cliente=str(id_cliente), estado="PENDIENTE", fecha_creacion=0)
    registro = eventos.EventosReserva(
        **sobre("ReservaCreada", SERVICIO, time=ahora_ms() - hace_ms), reserva_creada=variante
    )
    return codificar(registro, topico=eventos.TOPICO, servicio=SERVICIO, clave=id)


def cliente(id: UUID, version: int, correo: str | None, nombre: str = "Águeda") -> Mensaje:
    if correo is None:
        baja = eventos_cliente.ClienteEliminado(id_cliente=str(id), version=version)
        registro = eventos_cliente.EventosCliente(**sobre("ClienteEliminado", SERVICIO), cliente_eliminado=baja)
    else:
        estado = eventos_cliente.ClienteCambiado(id_cliente=str(id), version=version, nombre=nombre, correo=correo)
        registro = eventos_cliente.EventosCliente(**sobre("ClienteCambiado", SERVICIO), cliente_cambiado=estado)
    return codificar(registro, topico=eventos_cliente.TOPICO, servicio=SERVICIO, clave=str(id))


def publicar(suite: SuiteReal, *mensajes: Mensaje) -> None:
    async def poner() -> None:
        async with conectado(suite.broker) as broker:
            await broker.publicar(mensajes)

    asyncio.run(poner())


@pytest.fixture(scope="module")
def oficina() -> Iterator[Oficina]:
    with abierta() as oficina:
        yield oficina


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory, oficina: Oficina) -> Iterator[SuiteReal]:
    with SuiteReal(tmp_path_factory.mktemp("libreta"), SMTP_URL=oficina.url) as suite:
        suite.arrancar("notificaciones")
        yield suite


def apuntado(suite: SuiteReal, *mensajes: Mensaje) -> None:
    publicar(suite, *mensajes)
    hasta(lambda: suite.atendido("sub-notificacion-eventos-clientes", eventos_cliente.TOPICO), "se apuntara")


def destino(suite: SuiteReal, oficina: Oficina, *mensajes: Mensaje) -> str:
    """A quién se escribió por la reserva, que es el primero de esos mensajes."""
    publicar(suite, *mensajes)
    identidad = f"<{mensajes[0].cabeceras['id']}@aeroalpes.example>"

    def suyos() -> list[str]:
        return [str(correo["To"]) for correo in oficina.recibidos if str(correo["Message-ID"]) == identidad]

    (unico,) = hasta(suyos, "llegara el correo")
    return str(unico)


def test_se_escribe_al_cliente_por_su_nombre_y_a_la_direccion_que_tenga_entonces(
    suite: SuiteReal, oficina: Oficina
) -> None:
    id = uuid4()
    apuntado(suite, cliente(id, 1, "antes@ejemplo.co"))
    assert destino(suite, oficina, creada(id)) == "Águeda <antes@ejemplo.co>"
    apuntado(suite, cliente(id, 3, "ahora@ejemplo.co", "Otra"), cliente(id, 2, "vieja@ejemplo.co"))
    assert destino(suite, oficina, creada(id)) == "Otra <ahora@ejemplo.co>"


def test_si_el_alta_llega_despues_que_la_reserva_se_la_espera(suite: SuiteReal, oficina: Oficina) -> None:
    id = uuid4()
    assert destino(suite, oficina, creada(id), cliente(id, 1, "tarde@ejemplo.co")) == "Águeda <tarde@ejemplo.co>"


def test_de_quien_no_se_sabe_nada_o_ya_no_existe_se_escribe_a_la_agencia(suite: SuiteReal, oficina: Oficina) -> None:
    olvidado, raro = uuid4(), uuid4()
    apuntado(suite, cliente(olvidado, 1, "fui@ejemplo.co"), cliente(olvidado, 2, None))
    apuntado(suite, cliente(raro, 1, "no es una dirección"))
    assert destino(suite, oficina, creada(olvidado)) == DESTINATARIO
    assert destino(suite, oficina, creada(raro)).endswith(f"<{DESTINATARIO}>")
    assert destino(suite, oficina, creada(uuid4(), DE_HACE_RATO_MS)) == DESTINATARIO


def test_a_un_cliente_desconocido_de_una_reserva_recien_hecha_se_le_espera_solo_un_rato(
    suite: SuiteReal, oficina: Oficina
) -> None:
    assert destino(suite, oficina, creada(uuid4())) == DESTINATARIO

"""Muchos a la vez: gana uno, nadie ve una base bloqueada y nada se rompe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.integracion.aeroalpes.reservas import RUTAS_POST, contar, cuerpo, todas
from tests.procesos import Aeroalpes, hasta
from tests.unit.vuelos import fabrica
from tests.unit.vuelos.fabrica import ID, itinerario, leg

from aeroalpes.composicion import componer
from aeroalpes.config import Configuracion
from aeroalpes.modulos.vuelos.aplicacion.comandos.cancelar_reserva import CancelarReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.registrar_pago import RegistrarPago
from aeroalpes.modulos.vuelos.aplicacion.queries.obtener_reserva import ObtenerReserva
from aeroalpes.modulos.vuelos.infraestructura.mapeadores import MapeadorReserva, de_json
from seedwork.infraestructura.sistema import Sistema


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Sistema]:
    sistema = componer(Configuracion(base_datos=f"sqlite:///{tmp_path}/aeroalpes.db", broker="embebido://"))
    yield sistema
    sistema.cerrar()


def _crear() -> CrearReserva:
    fila = MapeadorReserva().a_fila(fabrica.reserva(itinerarios=(itinerario(leg()),)))
    return CrearReserva(id=ID, itinerarios=de_json(fila["itinerarios"]))


def _a_la_vez(bus: Sistema, *mensajes: Any) -> Counter[str]:
    def intentar(mensaje: Any) -> str:
        try:
            bus.ejecutar(mensaje)
        except Exception as error:  # noqa: BLE001 - la prueba cuenta de qué clase son
            return type(error).__name__
        return "bien"

    with ThreadPoolExecutor(len(mensajes)) as hilos:
        return Counter(hilos.map(intentar, mensajes))


def test_de_dos_que_crean_la_misma_reserva_gana_uno(bus: Sistema) -> None:
    assert _a_la_vez(bus, *[_crear() for _ in range(8)]) == {"bien": 1, "YaExiste": 7}


def test_de_muchos_que_registran_el_mismo_pago_a_la_vez_lo_anuncia_uno(bus: Sistema, tmp_path: Path) -> None:
    bus.ejecutar(_crear())
    antes = contar(tmp_path, "outbox")
    pagos = [RegistrarPago(id_reserva=ID) for _ in range(8)]
    assert _a_la_vez(bus, *pagos) == {"bien": 8}
    assert contar(tmp_path, "outbox") == antes + 1
    assert bus.ejecutar(ObtenerReserva(id=ID)).estado == "PAGADA"


def test_pagar_y_cancelar_a_la_vez_acaba_en_un_orden_legal(bus: Sistema) -> None:
    bus.ejecutar(_crear())
    cancelar = CancelarReserva(id_reserva=ID, motivo="ya no")
    assert _a_la_vez(bus, RegistrarPago(id_reserva=ID), cancelar) == {"bien": 2}
    reserva = bus.ejecutar(ObtenerReserva(id=ID))
    assert (reserva.estado, reserva.motivo) == ("CANCELADA", "ya no")


def test_dieciseis_clientes_a_la_vez_nunca_ven_la_base_bloqueada(suite: Aeroalpes) -> None:
    http = suite.api().http

    def cliente(n: int) -> list[int]:
        estados = []
        for vuelta in range(6):
            respuesta = http.post(RUTAS_POST[(n + vuelta) % 2], json=cuerpo())
            estados.append(respuesta.status_code)
            estados.append(http.get(f"/vuelos/reserva/{respuesta.json()['id']}").status_code)
            estados.append(http.get("/vuelos/reserva-query", params={"limite": 5}).status_code)
        return estados

    with ThreadPoolExecutor(16) as hilos:
        estados = Counter(estado for vistos in hilos.map(cliente, range(16)) for estado in vistos)
    assert estados.keys() <= {200, 202, 404}
    assert estados[202] == 48
    hasta(lambda: len(todas(http)) == 96, "aparecieran todas")

"""gds de verdad: sus mensajes por el broker, con un GDS que a ratos no está."""

from __future__ import annotations

import uuid
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
from tests.integracion.aeroalpes.contexto import Contexto, en_marcha, mensaje
from tests.unit.gds.aerolineas import HostFalso

from aeroalpes.modulos.gds.infraestructura.anticorrupcion.ajeno import Host
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.simulado import HostSimulado
from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos, eventos
from aeroalpes.modulos.gds.modulo import GDS
from seedwork.infraestructura.brokers import Mensaje


def confirmar(id: uuid.UUID, destino: str = "JFK") -> Mensaje:
    tramo = comandos.Tramo(origen="BOG", destino=destino, fecha_salida=1669122600000, fecha_llegada=1669129800000)
    variante = comandos.ConfirmarReserva(id_reserva=str(id), tramos=[tramo])
    return mensaje(comandos.ComandosGds, comandos.TOPICO, "ConfirmarReserva", id, confirmar_reserva=variante)


def revertir(id: uuid.UUID) -> Mensaje:
    variante = comandos.RevertirConfirmacion(id_reserva=str(id))
    return mensaje(comandos.ComandosGds, comandos.TOPICO, "RevertirConfirmacion", id, revertir_confirmacion=variante)


def servicio(carpeta: Path, host: Host) -> AbstractAsyncContextManager[Contexto]:
    return en_marcha([GDS], carpeta, {eventos.TOPICO: eventos.EventosGds}, puertos={Host: host})


async def test_se_confirma_con_localizador_se_rechaza_zzz_y_revertir_llega_antes_o_despues(tmp_path: Path) -> None:
    buena, llena, tarde = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    async with servicio(tmp_path, HostSimulado()) as gds:
        pedido = confirmar(buena)
        await gds.mandar(pedido, pedido, confirmar(llena, "ZZZ"), revertir(tarde), confirmar(tarde), revertir(buena))
        await gds.hasta(lambda: len(gds.publicados) >= 5, "se respondiera a todo")
        assert gds.tipos(buena) == ["ReservaConfirmada", "ConfirmacionRevertida"]
        assert gds.tipos(llena) == ["ConfirmacionRechazada"]
        assert gds.tipos(tarde) == ["ConfirmacionRevertida", "ConfirmacionRechazada"]
        (confirmada,) = [p.reserva_confirmada for p in gds.publicados if p.reserva_confirmada]
        assert confirmada.localizador == buena.hex[-6:].upper()


async def test_con_el_gds_caido_confirmar_se_niega_pronto_y_soltar_espera_a_que_vuelva(tmp_path: Path) -> None:
    id, host = uuid.uuid4(), HostFalso("cae")
    host.ventas.add(id.hex.upper())
    async with servicio(tmp_path, host) as gds:
        await gds.mandar(confirmar(id))
        await gds.hasta(lambda: gds.tipos(id) == ["ConfirmacionRechazada"], "se negara")
        await gds.hasta(lambda: "XX" in [t["TRX"] for t in host.recibidas], "se intentara soltar")
        host.humor = "bien"
        await gds.hasta(lambda: len(gds.tipos(id)) == 2, "se soltara")
    assert gds.tipos(id) == ["ConfirmacionRechazada", "ConfirmacionRevertida"]
    assert host.ventas == set()


@pytest.mark.parametrize("variantes", [0, 2])
async def test_lo_que_no_es_un_pedido_va_a_las_letras_muertas(tmp_path: Path, variantes: int) -> None:
    id = uuid.uuid4()
    ambas = {
        "confirmar_reserva": comandos.ConfirmarReserva(id_reserva=str(id), tramos=[]),
        "revertir_confirmacion": comandos.RevertirConfirmacion(id_reserva=str(id)),
    }
    malo = partial(mensaje, comandos.ComandosGds, comandos.TOPICO, "Nada", id)
    async with servicio(tmp_path, HostSimulado()) as gds:
        await gds.mandar(malo(**(ambas if variantes else {})), confirmar(id))
        await gds.hasta(lambda: gds.tipos(id) == ["ReservaConfirmada"], "se atendiera el bueno")
        await gds.hasta_letras("aeroalpes-gds-comandos", 1)

"""Qué le llega a quien sólo oye lo de todos, y qué a quien lo pide todo."""

from __future__ import annotations

from tests.unit.ui.falsos import evento

from ui.difusion import Difusion
from ui.reparto import Reparto


def _ids(difusion: Difusion) -> list[str]:
    lector = difusion.abrir("")
    ids = []
    while (entrada := difusion.en(len(ids))) is not None:
        ids.append(entrada.id)
    assert not lector.hubo_hueco
    return ids


async def test_lo_interno_solo_llega_a_quien_pide_todo_y_no_le_quita_ventana_a_nadie() -> None:
    reparto = Reparto(Difusion(ventana=2, atraso_maximo=2, ids_recordados=10))
    publico, otro = evento(), evento()
    internos = [evento("PagarReserva", interno=True) for _ in range(5)]
    for uno in (publico, *internos, otro):
        reparto.publicar(uno)
    assert _ids(reparto.publica) == [publico["id"], otro["id"]]
    assert _ids(reparto.entera) == [uno["id"] for uno in (publico, *internos, otro)]


async def test_lo_que_no_se_puede_repartir_no_llega_a_nadie() -> None:
    reparto = Reparto()
    reparto.publicar({"type": "SinId", "source": "x"})
    assert (len(reparto.publica), len(reparto.entera)) == (0, 0)

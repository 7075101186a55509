"""Lo que la página sabe por su cuenta del mapa es lo que cada servicio declara."""

from __future__ import annotations

from notificaciones.consumidores import avisar
from notificaciones.libreta import apuntar
from ui.mapa import VECINOS


def test_lo_que_atiende_notificaciones_es_lo_que_declaran_sus_consumidores() -> None:
    [vecino] = VECINOS
    declarado = [(topico, consumidor.suscripcion) for consumidor in (avisar, apuntar) for topico in consumidor.topicos]
    assert [(escucha["topico"], escucha["suscripcion"]) for escucha in vecino["atiende"]] == declarado

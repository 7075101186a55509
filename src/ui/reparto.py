"""Dos anillos: lo que se le cuenta a cualquiera, y eso con lo que se dicen los contextos entre sí.

Son dos, y no un filtro sobre uno, para que lo interno no le acorte a nadie la ventana que se le prometió.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui.difusion import Difusion

INTERNO = "interno"
"""El atributo de extensión que lleva, con valor true, lo que sólo recibe quien pide todo."""


class Reparto:
    """Lleva cada evento a quienes les toca."""

    def __init__(self, publica: Difusion | None = None, entera: Difusion | None = None) -> None:
        self.publica = Difusion() if publica is None else publica
        self.entera = Difusion() if entera is None else entera

    def publicar(self, evento: Mapping[str, Any]) -> None:
        entrada = self.entera.publicar(evento)
        if entrada is not None and not evento.get(INTERNO):
            self.publica.repartir(entrada)

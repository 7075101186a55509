"""Reglas de negocio: una frase que se puede comprobar."""

from __future__ import annotations

from typing import Protocol

from seedwork.dominio.excepciones import ReglaIncumplida


class ReglaNegocio(Protocol):
    """Una regla con nombre (el de su clase), su frase y su comprobación."""

    @property
    def mensaje(self) -> str: ...

    def es_valida(self) -> bool: ...


def validar(*reglas: ReglaNegocio) -> None:
    """Comprueba las reglas en orden y lanza `ReglaIncumplida` con la primera que no se cumple."""
    for regla in reglas:
        if not regla.es_valida():
            raise ReglaIncumplida(regla.mensaje, regla=type(regla).__name__)

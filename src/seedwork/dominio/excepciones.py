"""Errores del dominio: cada uno es un tipo con una frase dentro."""

from __future__ import annotations


class ExcepcionDominio(Exception):
    """Base de lo que el dominio rechaza; `str(error)` es una frase para una persona."""


class ReglaIncumplida(ExcepcionDominio):
    """Se quiso dejar un objeto en un estado que una regla del negocio prohíbe."""

    def __init__(self, mensaje: str, *, regla: str | None = None) -> None:
        super().__init__(mensaje)
        self.regla = regla or type(self).__name__


class NoEncontrado(ExcepcionDominio):
    """No existe el agregado que se pidió por su identidad."""


class YaExiste(ExcepcionDominio):
    """Ya hay un agregado con la identidad del que se quiso agregar."""


class ConflictoConcurrencia(ExcepcionDominio):
    """Otro escribió el agregado entre que se leyó y se guardó: se perdió el bloqueo optimista."""

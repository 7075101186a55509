"""El registro del tópico `comandos-pasarela` (clave: id de la reserva), que pagos se escribe a sí mismo."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import ComandoIntegracion

TOPICO = "comandos-pasarela"


@dataclass(frozen=True, kw_only=True)
class Cobrar:
    """Pedir a la pasarela `monto` centavos; `medio` es la ficha que dio el cliente."""

    id_reserva: str
    monto: int
    medio: str | None = None


@dataclass(frozen=True, kw_only=True)
class Devolver:
    """Pedir a la pasarela que devuelva lo que cobró de ese cargo."""

    id_reserva: str
    monto: int
    medio: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComandosPasarela(ComandoIntegracion):
    """Lo que hay que pedir a la pasarela: exactamente una variante, la que nombra `type`."""

    cobrar: Cobrar | None = None
    devolver: Devolver | None = None

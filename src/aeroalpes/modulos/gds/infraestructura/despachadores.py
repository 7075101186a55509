"""De lo que le pasa a una confirmación a lo que gds publica, y a lo que se pide a sí mismo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aeroalpes.modulos.gds.dominio import eventos as dominio
from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos, eventos
from seedwork.aplicacion.mensajes import Despachador
from seedwork.infraestructura.outbox import Servicio
from seedwork.infraestructura.schema.v1.mensajes import sobre


def publicar(evento: dominio.EventoGds, despachador: Despachador, servicio: Servicio) -> None:
    """Deja en el outbox el evento de integración de un evento de dominio; su id es el del mensaje."""
    variante, traducir = _TRADUCCION[type(evento)]
    despachador.publicar(
        eventos.EventosGds(
            **sobre(type(evento).__name__, servicio, id=str(evento.id), time=_ms(evento)),
            **{variante: traducir(evento)},
        ),
        topico=eventos.TOPICO,
        clave=str(evento.id_reserva),
    )


def soltar(evento: dominio.PlazasSobrantes, despachador: Despachador, servicio: Servicio) -> None:
    """Se pide a sí mismo soltarlas: sale con la transacción que vio que sobraban, y se insiste hasta conseguirlo."""
    pedido = comandos.RevertirConfirmacion(id_reserva=str(evento.id_reserva), motivo="Las plazas sobran")
    despachador.publicar(
        comandos.ComandosGds(**sobre("RevertirConfirmacion", servicio), revertir_confirmacion=pedido),
        topico=comandos.TOPICO,
        clave=str(evento.id_reserva),
    )


def _ms(evento: dominio.EventoGds) -> int:
    return int(evento.fecha.timestamp() * 1000)


def _comunes(evento: dominio.EventoGds) -> dict[str, Any]:
    return {"id_reserva": str(evento.id_reserva), "fecha_actualizacion": _ms(evento)}


_TRADUCCION: dict[type[dominio.EventoGds], tuple[str, Callable[[Any], Any]]] = {
    dominio.ReservaConfirmada: (
        "reserva_confirmada",
        lambda e: eventos.ReservaConfirmada(**_comunes(e), localizador=e.localizador),
    ),
    dominio.ConfirmacionRechazada: (
        "confirmacion_rechazada",
        lambda e: eventos.ConfirmacionRechazada(**_comunes(e), motivo=e.motivo),
    ),
    dominio.ConfirmacionRevertida: (
        "confirmacion_revertida",
        lambda e: eventos.ConfirmacionRevertida(**_comunes(e)),
    ),
}

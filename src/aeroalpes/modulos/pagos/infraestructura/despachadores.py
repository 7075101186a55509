"""De lo que le pasa a un pago a lo que pagos publica: a los demás, y a sí mismo para llamar a la pasarela."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aeroalpes.modulos.pagos.dominio import eventos as dominio
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import eventos, pasarela
from seedwork.aplicacion.mensajes import Despachador
from seedwork.infraestructura.outbox import Servicio
from seedwork.infraestructura.schema.v1.mensajes import MensajeIntegracion, sobre


def publicar(evento: dominio.EventoPago, despachador: Despachador, servicio: Servicio) -> None:
    """Deja en el outbox lo que sale de un evento de dominio; su id es el del mensaje."""
    topico, registro, tipo, variante, traducir = _TRADUCCION[type(evento)]
    despachador.publicar(
        registro(**sobre(tipo, servicio, id=str(evento.id), time=_ms(evento)), **{variante: traducir(evento)}),
        topico=topico,
        clave=str(evento.id_reserva),
    )


def _ms(evento: dominio.EventoPago) -> int:
    return int(evento.fecha.timestamp() * 1000)


def _comunes(evento: dominio.EventoPago) -> dict[str, Any]:
    return {
        "id_reserva": str(evento.id_reserva),
        "id_cliente": str(evento.id_cliente) if evento.id_cliente else None,
        "fecha_actualizacion": _ms(evento),
    }


def _cargo(evento: dominio.CobroSolicitado | dominio.ReversionSolicitada) -> dict[str, Any]:
    return {"id_reserva": str(evento.id_reserva), "monto": evento.monto, "medio": evento.medio}


_EVENTOS = (eventos.TOPICO, eventos.EventosPago)
_PASARELA = (pasarela.TOPICO, pasarela.ComandosPasarela)
_Fila = tuple[str, type[MensajeIntegracion], str, str, Callable[[Any], Any]]
_TRADUCCION: dict[type[dominio.EventoPago], _Fila] = {
    dominio.CobroSolicitado: (*_PASARELA, "Cobrar", "cobrar", lambda e: pasarela.Cobrar(**_cargo(e))),
    dominio.ReversionSolicitada: (*_PASARELA, "Devolver", "devolver", lambda e: pasarela.Devolver(**_cargo(e))),
    dominio.CobroAceptado: (
        *_EVENTOS,
        "ReservaPagada",
        "reserva_pagada",
        lambda e: eventos.ReservaPagada(**_comunes(e), monto=e.monto),
    ),
    dominio.CobroRechazado: (
        *_EVENTOS,
        "PagoRechazado",
        "pago_rechazado",
        lambda e: eventos.PagoRechazado(**_comunes(e), motivo=e.motivo),
    ),
    dominio.PagoRevertido: (
        *_EVENTOS,
        "PagoRevertido",
        "pago_revertido",
        lambda e: eventos.PagoRevertido(**_comunes(e), monto=e.devuelto),
    ),
}

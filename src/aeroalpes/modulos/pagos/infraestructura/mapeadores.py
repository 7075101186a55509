"""Entre un pago y lo que se guarda de él: cada evento en JSON, y de vez en cuando una instantánea del pago entero."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from aeroalpes.modulos.pagos.dominio import eventos
from aeroalpes.modulos.pagos.dominio.entidades import EstadoPago, Pago

FORMA = 1
"""La de las instantáneas: se sube al cambiar qué guardan, y las anteriores dejan de usarse."""

_ADAPTADORES: dict[str, TypeAdapter[Any]] = {
    tipo.__name__: TypeAdapter(tipo)
    for tipo in (
        eventos.CobroSolicitado,
        eventos.CobroAceptado,
        eventos.CobroRechazado,
        eventos.CobroEnDuda,
        eventos.CobroTardio,
        eventos.ReversionSolicitada,
        eventos.PagoRevertido,
    )
}


def evento_a_json(evento: eventos.EventoPago) -> tuple[str, Any]:
    """El nombre con que se guarda un evento y sus datos."""
    tipo = type(evento).__name__
    return tipo, _ADAPTADORES[tipo].dump_python(evento, mode="json")


def evento_de_json(tipo: str, datos: Any) -> eventos.EventoPago:
    """El evento guardado."""
    evento: eventos.EventoPago = _ADAPTADORES[tipo].validate_python(datos)
    return evento


def a_instantanea(pago: Pago) -> Any:
    """El estado del pago, sin sus eventos por guardar."""
    return {
        "estado": str(pago.estado),
        "id_cliente": str(pago.id_cliente) if pago.id_cliente else None,
        "monto": pago.monto,
        "medio": pago.medio,
        "cobrado": pago.cobrado,
        "devuelto": pago.devuelto,
        "motivo": pago.motivo,
    }


def de_instantanea(id: UUID, version: int, datos: Any) -> Pago:
    """El pago tal como estaba en esa versión."""
    propios = {
        "estado": EstadoPago(datos["estado"]),
        "id_cliente": UUID(datos["id_cliente"]) if datos["id_cliente"] else None,
    }
    return Pago(**{**datos, **propios, "id": id, "version": version})

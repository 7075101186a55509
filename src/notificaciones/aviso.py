"""Lo que hay que contarle a una persona sobre su reserva."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from notificaciones.direcciones import validar_direccion

TipoAviso = Literal["creada", "aprobada", "cancelada"]


class AvisoInvalido(ValueError):
    """El aviso no se puede contar por correo, ni ahora ni después: no sirve reintentarlo."""


@dataclass(frozen=True, kw_only=True)
class Aviso:
    """Un hecho de una reserva, listo para ser correo.

    `id_evento` identifica el hecho: de él salen el `Message-ID` y el nombre en el buzón. `fecha` es la del hecho,
    con zona horaria. Lanza `AvisoInvalido` o `DireccionInvalida` si con estos datos no se puede escribir un correo.
    """

    id_evento: UUID
    tipo: TipoAviso
    id_reserva: UUID
    destinatario: str
    fecha: datetime
    nombre: str | None = None
    motivo: str | None = None

    def __post_init__(self) -> None:
        if self.tipo not in get_args(TipoAviso):
            raise AvisoInvalido(
                f"No hay correo para el tipo de aviso {self.tipo!r}: los hay para {get_args(TipoAviso)}"
            )
        if self.fecha.utcoffset() is None:
            raise AvisoInvalido("La fecha del aviso necesita zona horaria")
        validar_direccion(self.destinatario)

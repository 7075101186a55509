"""Lo que gds recibe del broker: se llama al GDS sin transacción abierta, y lo que responde se anota en la suya."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aeroalpes.modulos.gds.aplicacion.comandos.anotar_confirmacion import AnotarConfirmacion
from aeroalpes.modulos.gds.aplicacion.comandos.anotar_liberacion import AnotarLiberacion
from aeroalpes.modulos.gds.aplicacion.puertos import GdsSinRespuesta, SistemaReservas
from aeroalpes.modulos.gds.dominio.objetos_valor import Tramo
from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos as eventos_reserva
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import ErrorPermanente, Reintentos

# Las plazas se sueltan aunque el GDS falte horas: se insiste sin límite y sólo espera esa reserva.
INSISTENCIA = Reintentos(maximo=None, espera_s=1, factor=2, jitter=0.2, tope_s=60)
TramoPedido = comandos.Tramo | eventos_reserva.Tramo
_EPOCA = datetime(1970, 1, 1, tzinfo=UTC)


@message_handler(
    comandos.TOPICO,
    suscripcion="aeroalpes-gds-comandos",
    reintentos=INSISTENCIA,
    permanentes=(ValueError, OverflowError),
    concurrencia=32,
)
async def al_recibir_comando(mensaje: comandos.ComandosGds, gds: SistemaReservas) -> Comando[None]:
    """Pedir plazas siempre se responde, aunque el GDS no; soltarlas se repite hasta que el GDS lo haga."""
    match mensaje:
        case comandos.ComandosGds(confirmar_reserva=comandos.ConfirmarReserva() as pedido, revertir_confirmacion=None):
            return await tomar(gds, UUID(pedido.id_reserva), pedido.tramos)
        case comandos.ComandosGds(
            confirmar_reserva=None, revertir_confirmacion=comandos.RevertirConfirmacion() as pedido
        ):
            return await soltar(gds, UUID(pedido.id_reserva))
    raise ErrorPermanente(f"El comando {mensaje.type!r} debe traer una variante, y sólo una")


async def tomar(gds: SistemaReservas, id_reserva: UUID, tramos: Iterable[TramoPedido]) -> AnotarConfirmacion:
    """Pide plazas y devuelve qué anotar, que puede ser que no respondió."""
    try:
        respuesta = await gds.tomar_plazas(id_reserva, tuple(_tramo(tramo) for tramo in tramos))
    except GdsSinRespuesta:
        return AnotarConfirmacion(id_reserva=id_reserva, respuesta=None)
    return AnotarConfirmacion(id_reserva=id_reserva, respuesta=respuesta)


async def soltar(gds: SistemaReservas, id_reserva: UUID) -> AnotarLiberacion:
    """Suelta las plazas que haya, y devuelve que se anote; si el GDS no responde, lanza."""
    await gds.soltar_plazas(id_reserva)
    return AnotarLiberacion(id_reserva=id_reserva)


def _tramo(tramo: TramoPedido) -> Tramo:
    return Tramo(tramo.origen, tramo.destino, _de_ms(tramo.fecha_salida), _de_ms(tramo.fecha_llegada))


def _de_ms(ms: int) -> datetime:
    return _EPOCA + timedelta(milliseconds=ms)

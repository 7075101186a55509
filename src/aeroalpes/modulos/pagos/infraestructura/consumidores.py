"""Lo que pagos recibe del broker: lo que otros le piden, y lo que él mismo dejó pedido a la pasarela."""

from __future__ import annotations

from uuid import UUID

from aeroalpes.modulos.pagos.aplicacion.comandos.anotar_cobro import AnotarCobro
from aeroalpes.modulos.pagos.aplicacion.comandos.anotar_devolucion import AnotarDevolucion
from aeroalpes.modulos.pagos.aplicacion.comandos.pagar_reserva import PagarReserva
from aeroalpes.modulos.pagos.aplicacion.comandos.revertir_pago import RevertirPago
from aeroalpes.modulos.pagos.aplicacion.puertos import Cargo, PasarelaPagos, PasarelaSinRespuesta
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import comandos, pasarela
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import ErrorPermanente, Reintentos

# Lo cobrado se devuelve aunque la pasarela falte horas: se insiste sin límite y sólo espera esa reserva.
INSISTENCIA = Reintentos(maximo=None, espera_s=1, factor=2, jitter=0.2, tope_s=60)


@message_handler(comandos.TOPICO, suscripcion="aeroalpes-pagos-comandos", permanentes=(ValueError,))
def al_recibir_comando(mensaje: comandos.ComandosPago) -> Comando[None]:
    match mensaje:
        case comandos.ComandosPago(pagar_reserva=comandos.PagarReserva() as pagar, revertir_pago=None):
            return PagarReserva(
                id_reserva=UUID(pagar.id_reserva),
                monto=pagar.monto,
                medio=pagar.medio,
                id_cliente=UUID(pagar.id_cliente) if pagar.id_cliente else None,
            )
        case comandos.ComandosPago(pagar_reserva=None, revertir_pago=comandos.RevertirPago() as revertir):
            return RevertirPago(id_reserva=UUID(revertir.id_reserva), motivo=revertir.motivo)
    raise ErrorPermanente(f"El comando {mensaje.type!r} debe traer una variante, y sólo una")


@message_handler(
    pasarela.TOPICO,
    suscripcion="aeroalpes-pagos-pasarela",
    reintentos=INSISTENCIA,
    permanentes=(ValueError,),
    concurrencia=64,  # cada llamada es una espera: las que no responden no quitan el sitio a las demás
)
async def llamar_a_la_pasarela(mensaje: pasarela.ComandosPasarela, puerto: PasarelaPagos) -> Comando[None]:
    """Llama sin transacción abierta; lo que devuelve se anota en la suya, con la entrada.

    Si el proceso muere entre ambas cosas se llama otra vez, con la misma clave de idempotencia.
    """
    if mensaje.cobrar is not None:
        try:
            respuesta = await puerto.cobrar(_cargo(mensaje.cobrar))
        except PasarelaSinRespuesta:
            return AnotarCobro(id_reserva=UUID(mensaje.cobrar.id_reserva), respuesta=None)
        return AnotarCobro(id_reserva=UUID(mensaje.cobrar.id_reserva), respuesta=respuesta)
    if mensaje.devolver is not None:
        total = await puerto.devolver(_cargo(mensaje.devolver))
        return AnotarDevolucion(id_reserva=UUID(mensaje.devolver.id_reserva), total=total)
    raise ErrorPermanente(f"El comando {mensaje.type!r} no trae ninguna variante")


def _cargo(pedido: pasarela.Cobrar | pasarela.Devolver) -> Cargo:
    return Cargo(clave=pedido.id_reserva, monto=pedido.monto, medio=pedido.medio)

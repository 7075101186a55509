"""Un pago y su pasarela, sin base ni broker: los eventos que piden llamarla esperan en una cola."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from aeroalpes.modulos.pagos.aplicacion.comandos.anotar_cobro import AnotarCobro, anotar_cobro
from aeroalpes.modulos.pagos.aplicacion.comandos.anotar_devolucion import AnotarDevolucion, anotar_devolucion
from aeroalpes.modulos.pagos.aplicacion.comandos.pagar_reserva import PagarReserva, pagar_reserva
from aeroalpes.modulos.pagos.aplicacion.comandos.revertir_pago import RevertirPago, revertir_pago
from aeroalpes.modulos.pagos.aplicacion.puertos import Aceptado, Cargo, PasarelaSinRespuesta, Rechazado
from aeroalpes.modulos.pagos.dominio.entidades import Pago
from aeroalpes.modulos.pagos.dominio.eventos import CobroSolicitado, EventoPago, ReversionSolicitada
from aeroalpes.modulos.pagos.infraestructura.consumidores import llamar_a_la_pasarela
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import pasarela
from seedwork.infraestructura.schema.v1.mensajes import sobre

RESERVA = UUID("018f0000-0000-7000-8000-00000000000a")
HOY = datetime(2022, 11, 22, 13, 10, tzinfo=UTC)
MONTO = 12_000

Humor = Literal["acepta", "rechaza", "cobra y calla", "calla"]


class Pasarela:
    """Una pasarela que lleva cuentas, respeta la clave de idempotencia y responde según su humor."""

    def __init__(self) -> None:
        self.humor: Humor = "acepta"
        self.cobrado: dict[str, int] = {}
        self.devuelto: dict[str, int] = {}
        self.rechazos: set[str] = set()

    def neto(self, clave: str) -> int:
        return self.cobrado.get(clave, 0) - self.devuelto.get(clave, 0)

    async def cobrar(self, cargo: Cargo) -> Aceptado | Rechazado:
        if cargo.clave not in self.cobrado and cargo.clave not in self.rechazos:
            if self.humor == "calla":
                raise PasarelaSinRespuesta("calla")
            if self.humor == "rechaza":
                self.rechazos.add(cargo.clave)
            else:
                self.cobrado[cargo.clave] = cargo.monto
        if self.humor in ("calla", "cobra y calla"):
            raise PasarelaSinRespuesta("calla")
        return Rechazado("no hay fondos") if cargo.clave in self.rechazos else Aceptado("A1")

    async def devolver(self, cargo: Cargo) -> int:
        self.devuelto[cargo.clave] = self.cobrado.get(cargo.clave, 0)
        return self.devuelto[cargo.clave]


class Mundo:
    """Implementa `RepositorioPagos` y `Reloj` para un solo pago, guardado como sus eventos."""

    def __init__(self) -> None:
        self.guardados: list[EventoPago] = []
        self.pasarela = Pasarela()
        self.por_llamar: list[pasarela.ComandosPasarela] = []

    @property
    def pago(self) -> Pago:
        return self.obtener(RESERVA)

    def obtener(self, id: UUID) -> Pago:
        pago = Pago(id=id)
        for evento in self.guardados:
            pago.aplicar(evento)
            assert 0 <= pago.saldo <= MONTO
        return pago

    def guardar(self, agregado: Pago) -> None:
        for evento in agregado.extraer_eventos():
            self.guardados.append(evento)
            if isinstance(evento, CobroSolicitado | ReversionSolicitada):
                es_cobro = isinstance(evento, CobroSolicitado)
                tipo = pasarela.Cobrar if es_cobro else pasarela.Devolver
                pedido = tipo(id_reserva=str(evento.id_reserva), monto=evento.monto, medio=evento.medio)
                variante = {"cobrar" if es_cobro else "devolver": pedido}
                self.por_llamar.append(pasarela.ComandosPasarela(**sobre("X", "pagos"), **variante))

    def ahora(self) -> datetime:
        return HOY

    def pagar(self, monto: int = MONTO) -> None:
        pagar_reserva(PagarReserva(id_reserva=RESERVA, monto=monto, medio="tok"), self, self)

    def revertir(self) -> None:
        revertir_pago(RevertirPago(id_reserva=RESERVA, motivo="sin plazas"), self, self)

    def llamar(self, n: int = 0, veces: int = 1) -> None:
        """Atiende el pedido n-ésimo; con más `veces`, el proceso murió antes de anotar lo que se le respondió."""
        if not self.por_llamar:
            return
        pedido = self.por_llamar.pop(n % len(self.por_llamar))
        for _ in range(veces):
            comando = asyncio.run(llamar_a_la_pasarela(pedido, self.pasarela))
        if isinstance(comando, AnotarCobro):
            anotar_cobro(comando, self, self)
        else:
            assert isinstance(comando, AnotarDevolucion)
            anotar_devolucion(comando, self, self)

    def atender(self) -> None:
        """Llama hasta que no quede nada que pedir."""
        while self.por_llamar:
            self.llamar()

    @property
    def tipos(self) -> list[str]:
        return [type(evento).__name__ for evento in self.guardados]

"""Lo que las pruebas corren en procesos aparte: `python -m tests.integracion.seedwork.proceso QUE CARPETA ...`."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from tests.integracion.seedwork.banco import BROKER, Abrir, Depositar, armar

from seedwork.dominio.eventos import nuevo_id
from seedwork.infraestructura import relay as modulo_relay
from seedwork.infraestructura.brokers import Mensaje, conectar
from seedwork.infraestructura.relay import Relay


def depositar(carpeta: Path, id: str, hilos: str, veces: str) -> None:
    """`hilos` hilos hacen `veces` depósitos de 1 en la misma cuenta; en la salida, los errores."""
    bus = armar(carpeta)
    errores: list[str] = []

    def trabajar() -> None:
        for _ in range(int(veces)):
            try:
                bus.ejecutar(Depositar(id=UUID(id), importe=1))
            except Exception as error:  # noqa: BLE001 - la prueba los quiere todos
                errores.append(repr(error))

    en_marcha = [threading.Thread(target=trabajar) for _ in range(int(hilos))]
    for hilo in en_marcha:
        hilo.start()
    for hilo in en_marcha:
        hilo.join()
    bus.cerrar()
    sys.stdout.write("\n".join(errores))


def abrir(carpeta: Path, cuantas: str) -> None:
    """Abre cuentas nuevas, una transacción cada una."""
    bus = armar(carpeta)
    for _ in range(int(cuantas)):
        bus.ejecutar(Abrir(id=nuevo_id()))
    bus.cerrar()


def migrar(carpeta: Path) -> None:
    """Espera a que le den la salida y arranca."""
    sys.stdin.readline()
    armar(carpeta).cerrar()


def abrir_y_morir(carpeta: Path, id: str) -> None:
    """Confirma y muere antes de publicar."""
    armar(carpeta).ejecutar(Abrir(id=UUID(id)))
    os._exit(9)


def relevar(carpeta: Path, arriendo_s: str, corte: str = "nunca") -> None:
    """Un relay hasta que lo maten; `corte` dice si se mata él solo: antes o después de publicar, o tras dos lotes."""
    bus = armar(carpeta)
    broker = conectar(os.environ.get(BROKER) or f"embebido:///{carpeta}/broker.db")
    publicar, lotes = broker.publicar, 0
    modulo_relay.LOTE = 20 if corte == "dos_lotes" else modulo_relay.LOTE

    async def cortar(mensajes: Sequence[Mensaje]) -> None:
        nonlocal lotes
        if corte == "antes":
            os._exit(9)
        await publicar(mensajes)
        lotes += 1
        if corte == "despues" or (corte == "dos_lotes" and lotes == 2):
            os._exit(9)

    broker.publicar = cortar  # type: ignore[method-assign]

    async def correr() -> None:
        assert bus.motor is not None
        relay = Relay(bus.motor, broker, bus.aviso, arriendo_s=float(arriendo_s))
        sys.stdout.write("listo\n")
        sys.stdout.flush()
        await relay.correr()

    asyncio.run(correr())


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])

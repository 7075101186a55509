"""Abre una cuenta con un handler de tras confirmar que falla, y dice en la salida cómo acabó."""

from __future__ import annotations

import sys

from tests.integracion.seedwork.banco import BANCO, Abrir, CuentaAbierta, metadatos

from seedwork.aplicacion.modulo import Modulo, tras_confirmar
from seedwork.dominio.eventos import nuevo_id
from seedwork.infraestructura.observabilidad import configurar_registro
from seedwork.infraestructura.sistema import bootstrap


def avisar(evento: CuentaAbierta) -> None:
    raise ValueError("no hay quien avise")


def main() -> str:
    try:
        bus = bootstrap(
            [BANCO, Modulo(nombre="avisos", eventos={CuentaAbierta: [tras_confirmar(avisar)]})],
            base_datos=f"sqlite:///{sys.argv[1]}/banco.db",
            base=metadatos,
        )
        bus.ejecutar(Abrir(id=nuevo_id()))
    except Exception as error:  # noqa: BLE001 - lo que salga es el resultado
        return f"{type(error).__name__}: {error}"
    return "confirmada"


if __name__ == "__main__":
    configurar_registro()
    sys.stdout.write(f"{main()}\n")

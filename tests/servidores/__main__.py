"""Servidores de verdad para las pruebas: `python -m tests.servidores arrancar|parar|estado [nombre...]`.

Las URLs van a la salida, una por línea; lo demás, a la de errores. Códigos de salida: 0 si está todo lo pedido, 1 si
algo no, 2 si la orden no se entiende.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.servidores import instalar
from tests.servidores.base import NoDisponible
from tests.servidores.mando import SERVIDORES, Mando, escribir_urls, raiz_datos, urls_en


def main(argumentos: Sequence[str] | None = None) -> int:
    opciones = _leer(argumentos)
    nombres = list(dict.fromkeys(opciones.nombres)) or list(SERVIDORES)
    raiz = raiz_datos()
    if opciones.orden == "arrancar":
        return _arrancar(nombres, raiz)
    if opciones.orden == "parar":
        return _parar(nombres, raiz, borrar=opciones.borrar)
    return _estado(nombres, raiz)


def _leer(argumentos: Sequence[str] | None) -> argparse.Namespace:
    lector = argparse.ArgumentParser(prog="python -m tests.servidores", description="Servidores para las pruebas.")
    ordenes = lector.add_subparsers(dest="orden", required=True)
    for orden, ayuda in (
        ("arrancar", "instala lo que falte, arranca y escribe las URLs"),
        ("parar", "para lo que arrancó, y nada más"),
        ("estado", "qué está en marcha"),
    ):
        sub = ordenes.add_parser(orden, help=ayuda)
        sub.add_argument(
            "nombres", nargs="*", metavar="nombre", type=_nombre, help=f"por defecto: {' '.join(SERVIDORES)}"
        )
        if orden == "parar":
            sub.add_argument("--borrar", action="store_true", help="quita también sus datos")
    return lector.parse_args(argumentos)


def _nombre(texto: str) -> str:
    if texto not in SERVIDORES:
        raise argparse.ArgumentTypeError(f"no hay ningún servidor {texto!r}; hay {', '.join(SERVIDORES)}")
    return texto


def _arrancar(nombres: Sequence[str], raiz: Path) -> int:
    inicio = time.monotonic()
    ausentes = _instalar(nombres)

    def arrancar(nombre: str) -> str:
        if nombre in ausentes:
            raise NoDisponible(ausentes[nombre])
        Mando(SERVIDORES[nombre], raiz).arrancar()
        return "atiende"

    bien = _en_paralelo(nombres, arrancar)
    urls = escribir_urls(raiz)
    sys.stdout.writelines(f"{clave}={valor}\n" for clave, valor in urls.items())
    _decir(f"Listo en {time.monotonic() - inicio:.1f} s." if bien else "No están todos.")
    return 0 if bien else 1


def _instalar(nombres: Sequence[str]) -> dict[str, str]:
    """Instala lo que falte, si se puede; devuelve, de los que aun así no se pueden tener, por qué."""
    faltan = [requisito for nombre in nombres for requisito in SERVIDORES[nombre].faltan()]
    if not faltan:
        return {}
    motivo = ""
    if instalar.se_puede():
        _decir(f"Instalando {', '.join(sorted({requisito.que for requisito in faltan}))}...")
        motivo = instalar.instalar(faltan)
    detalle = f" (apt-get: {motivo})" if motivo else ""
    return {
        nombre: "; ".join(map(str, siguen)) + detalle for nombre in nombres if (siguen := SERVIDORES[nombre].faltan())
    }


def _parar(nombres: Sequence[str], raiz: Path, *, borrar: bool) -> int:
    def parar(nombre: str) -> str:
        vivia = Mando(SERVIDORES[nombre], raiz).parar(borrar=borrar)
        return ("parado" if vivia else "no estaba en marcha") + (", sin datos" if borrar else "")

    bien = _en_paralelo(nombres, parar)
    escribir_urls(raiz)
    return 0 if bien else 1


def _estado(nombres: Sequence[str], raiz: Path) -> int:
    pids = {nombre: Mando(SERVIDORES[nombre], raiz).pids() for nombre in nombres}
    for nombre, suyos in pids.items():
        _decir(f"{nombre}: {'en marcha, pid ' + ' y '.join(map(str, suyos)) if suyos else 'parado'}")
    sys.stdout.writelines(f"{clave}={valor}\n" for clave, valor in urls_en(raiz).items())
    return 0 if all(pids.values()) else 1


def _en_paralelo(nombres: Sequence[str], hacer: Callable[[str], str]) -> bool:
    """Hace lo mismo con todos a la vez, y dice de cada uno qué pasó y cuánto tardó. Cierto si todos fueron bien."""

    def uno(nombre: str) -> bool:
        inicio = time.monotonic()
        try:
            _decir(f"{nombre}: {hacer(nombre)} ({time.monotonic() - inicio:.1f} s)")
        except (NoDisponible, OSError) as error:
            _decir(f"{nombre}: {error}")
            return False
        return True

    with ThreadPoolExecutor(len(nombres)) as hilos:
        return all(list(hilos.map(uno, nombres)))


def _decir(texto: str) -> None:
    sys.stderr.write(f"{texto}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())

"""Matar con kill -9 a un proceso antes y después de cada commit de lo que hace, y que otro lo acabe.

Cada punto es un proceso de verdad, bifurcado de éste para no volver a importarlo todo, sobre su propia carpeta: muere
donde le toca y otro sigue con lo que dejó.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.procesos import RAIZ

from seedwork.infraestructura.brokers.embebido import almacen, broker
from seedwork.infraestructura.relay import Relay
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

A_LA_VEZ = 4
_MUERTES_EN_CADENA = 200

Preparar = Callable[[Path], Awaitable[None]]
Llevar = Callable[[Path], Awaitable[dict[str, Any]]]
"""Lleva hasta el final lo que haya en una carpeta, y dice cómo quedó."""


def enumerar(carpeta: Path, preparar: Preparar, llevar: Llevar, *, en_cadena: bool = False) -> None:
    """Escribe en la salida, en JSON, cómo acabó `llevar` de una vez y muriendo en cada punto, sobre lo preparado.

    `en_cadena`, lo preparado sobrevive a todas las muertes seguidas: a la de cada proceso tras su primer commit y,
    aparte, a la de cada uno antes del segundo. Son los mismos puntos, con procesos que viven mucho menos.
    """
    almacen.VIDA_S = broker.VIDA_S = 1.0  # para que la muerte de un proceso se note pronto
    assert Relay.__init__.__kwdefaults__ is not None
    Relay.__init__.__kwdefaults__["arriendo_s"] = 1.0
    plantilla = carpeta / "plantilla"
    plantilla.mkdir()
    _esperar(_bifurcar(lambda: asyncio.run(_nada(preparar(plantilla)))))
    de_una = carpeta / "de_una"
    shutil.copytree(plantilla, de_una)
    _esperar(_bifurcar(lambda: _vivir(de_una, llevar, None)))
    referencia = json.loads((de_una / "final.json").read_text())
    finales, puntos = {"de una": referencia}, list(range(2 * referencia.pop("confirmadas")))
    if en_cadena:
        puntos = [1, 2]
    en_curso: dict[int, int] = {}
    muertes = Counter[int]()

    def lanzar(punto: int, muerte: int | None) -> None:
        en_curso[_bifurcar(lambda: _vivir(carpeta / str(punto), llevar, muerte))] = punto

    while puntos or en_curso:
        while puntos and len(en_curso) < A_LA_VEZ:
            punto = puntos.pop()
            shutil.copytree(plantilla, carpeta / str(punto))
            lanzar(punto, punto)
        pid, estado = os.wait()
        punto, salida = en_curso.pop(pid), os.waitstatus_to_exitcode(estado)
        final = carpeta / str(punto) / "final.json"
        if salida == -signal.SIGKILL and muertes[punto] < (_MUERTES_EN_CADENA if en_cadena else 1):
            muertes[punto] += 1
            lanzar(punto, punto if en_cadena else None)
            continue
        finales[str(punto)] = json.loads(final.read_text()) if final.exists() else {"salida": salida}
        finales[str(punto)].pop("confirmadas", None)
        finales[str(punto)]["muertes"] = muertes[punto]
    sys.stdout.write(json.dumps(finales))


def muriendo(modulo: str, carpeta: Path, *argumentos: str) -> dict[str, Any]:
    """Cómo acabó en cada punto lo que `python -m modulo carpeta argumentos` enumera."""
    hecho = subprocess.run(
        [sys.executable, "-m", modulo, str(carpeta), *argumentos],
        cwd=RAIZ,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(RAIZ / "src"), str(RAIZ)])},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert hecho.returncode == 0, hecho.stderr
    finales: dict[str, Any] = json.loads(hecho.stdout)
    muertes = [final.pop("muertes", 1) for final in finales.values()]
    assert len(finales) > 12 or sum(muertes) > 24  # en cadena, las carpetas son dos y las muertes de cada una, muchas
    assert muertes.count(0) <= 3, muertes  # los últimos: acabó con menos commits que la primera vez
    return finales


def _vivir(carpeta: Path, llevar: Llevar, muerte: int | None) -> None:
    """Muere, si se dice, antes (`2 * n`) o después (`2 * n + 1`) del n-ésimo commit."""
    confirmadas = 0
    commit = UnidadTrabajoSQLAlchemy.commit

    def confirmar(uow: UnidadTrabajoSQLAlchemy) -> None:
        nonlocal confirmadas
        if muerte == 2 * confirmadas:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(uow)
        if muerte == 2 * confirmadas + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        confirmadas += 1

    UnidadTrabajoSQLAlchemy.commit = confirmar  # type: ignore[method-assign]

    async def vivir() -> dict[str, Any]:
        return await llevar(carpeta)

    final = asyncio.run(vivir())
    (carpeta / "final.json").write_text(json.dumps({**final, "confirmadas": confirmadas}))


async def _nada(espera: Awaitable[None]) -> None:
    await espera


def _bifurcar(funcion: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            funcion()
        except BaseException as error:  # noqa: BLE001 - quien lo lanzó sólo ve el código de salida
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    return pid


def _esperar(pid: int) -> None:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

"""Consumidores como procesos de verdad: parados, matados y envenenados."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from tests.procesos import RAIZ, Proceso, hasta

from seedwork.infraestructura.brokers import Broker, Mensaje, conectar
from seedwork.infraestructura.brokers.embebido.almacen import Almacen
from seedwork.infraestructura.codificacion import codificar_evento

Lanzar = Callable[..., Proceso]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"embebido:///{tmp_path}/broker.db"


@pytest.fixture
async def broker(url: str) -> AsyncIterator[Broker]:
    broker = conectar(url)
    yield broker
    await broker.cerrar()


@pytest.fixture
def diario(tmp_path: Path) -> Path:
    return tmp_path / "diario"


@pytest.fixture
def lanzar(tmp_path: Path, url: str, diario: Path) -> Iterator[Lanzar]:
    abiertos: list[Proceso] = []

    def lanzar(nombre: str, base: str = "") -> Proceso:
        orden = [sys.executable, "-m", "tests.integracion.seedwork.consumo_proceso", nombre, url, base, str(diario)]
        abiertos.append(Proceso(orden, {"PYTHONPATH": f"{RAIZ}/src"}, tmp_path / f"salida-{len(abiertos)}", RAIZ))
        return abiertos[-1]

    yield lanzar
    for proceso in abiertos:
        proceso.matar()


def pedidos(*ids: int, clave: str | None = None) -> list[Mensaje]:
    return [codificar_evento("pedido", {"id": id}, servicio="prueba", clave=clave) for id in ids]


def notas(diario: Path, empiezan: str) -> list[int]:
    lineas = diario.read_text().splitlines() if diario.exists() else []
    return [int(linea.split()[1]) for linea in lineas if linea.startswith(empiezan)]


@pytest.mark.capacidad("P01")
@pytest.mark.parametrize(("nombre", "senal"), [("lento", signal.SIGTERM), ("lento_en_hilo", signal.SIGINT)])
async def test_parado_a_medias_no_pierde_ni_repite_nada(
    lanzar: Lanzar, broker: Broker, diario: Path, nombre: str, senal: signal.Signals
) -> None:
    await broker.publicar([m for i in range(60) for m in pedidos(i, clave=f"k{i % 7}")])
    proceso = lanzar(nombre)
    await asyncio.to_thread(hasta, lambda: len(notas(diario, "termina")) >= 10, "avanzara")
    assert await asyncio.to_thread(proceso.parar, senal) == 0, proceso.salida
    assert sorted(notas(diario, "empieza")) == sorted(notas(diario, "termina"))
    assert len(notas(diario, "empieza")) < 60, "se paró antes de acabar"

    ultimo = lanzar(nombre)
    await asyncio.to_thread(hasta, lambda: len(notas(diario, "termina")) >= 60, "se atendieran todos")
    assert await asyncio.to_thread(ultimo.parar) == 0
    assert Counter(notas(diario, "empieza")) == Counter(range(60))


async def test_el_mensaje_que_mata_al_proceso_acaba_en_las_letras_muertas_y_sus_vecinos_no(
    lanzar: Lanzar, broker: Broker, diario: Path
) -> None:
    await broker.publicar([*pedidos(1, 13, 2, 3), *pedidos(4, 5, clave="k")])
    muertes = 0
    proceso = lanzar("envenenado")
    while not (letras := await broker.letras_muertas.listar()):
        if proceso.popen.poll() is not None:
            assert proceso.popen.returncode == 13, proceso.salida
            muertes += 1
            assert muertes <= 2
            proceso = lanzar("envenenado")
        await asyncio.sleep(0.05)
    await asyncio.to_thread(hasta, lambda: set(notas(diario, "termina")) == {1, 2, 3, 4, 5}, "acabaran los vecinos")
    assert await asyncio.to_thread(proceso.parar) == 0

    [letra] = letras
    assert b'"id":13' in letra.mensaje.cuerpo
    assert letra.intentos == 1
    assert 13 not in notas(diario, "termina")
    assert [n for n in notas(diario, "termina") if n in (4, 5)] == [4, 5]


async def test_muerto_entre_la_transaccion_y_el_acuse_hay_un_efecto_y_un_evento(
    lanzar: Lanzar, broker: Broker, diario: Path, tmp_path: Path
) -> None:
    base = f"sqlite:///{tmp_path}/base.db"
    await broker.publicar(pedidos(1))
    victima = lanzar("se_mata_tras_confirmar", base)
    assert await asyncio.to_thread(victima.termina) == -signal.SIGKILL, victima.salida
    heredero = lanzar("se_mata_tras_confirmar", base)
    await asyncio.to_thread(heredero.espera_texto, "listo")
    await broker.publicar(pedidos(2))
    suscripcion = await broker.suscribir("prueba", ["hecho"])
    hechos: list[Any] = []
    async with asyncio.timeout(15):
        while not any(b'"id":2' in e.mensaje.cuerpo for e in hechos):
            hechos += await suscripcion.recibir(10)
    await asyncio.to_thread(hasta, lambda: _pendientes(tmp_path) == 0, "se confirmara todo")
    assert await asyncio.to_thread(heredero.parar) == 0

    motor = create_engine(base)
    with motor.connect() as conexion:
        assert conexion.execute(text("SELECT id FROM efectos ORDER BY id")).scalars().all() == [1, 2]
    motor.dispose()
    assert len({e.mensaje.cabeceras["id"] for e in hechos}) == 2


def _pendientes(carpeta: Path) -> int:
    almacen = Almacen(f"{carpeta}/broker.db")
    try:
        fila: Any = almacen._uno(
            "SELECT count(*) FROM entregas e JOIN suscripciones s ON s.id=e.suscripcion WHERE s.nombre='s.atender'"
        )
        return int(fila[0])
    finally:
        almacen.cerrar()

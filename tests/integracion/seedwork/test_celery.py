"""Comandos que se ejecutan después en un worker de Celery de verdad, sobre Redis y sobre RabbitMQ."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from celery import Celery
from redis import Redis
from tests.contratos.banco_rabbitmq import url_de_rabbitmq
from tests.contratos.banco_redis import url_de_redis
from tests.integracion.seedwork.banco import BASE, filas_outbox
from tests.integracion.seedwork.bases import base_nueva
from tests.integracion.seedwork.celery_banco import (
    Hacer,
    Hechos,
    Linea,
    MorirLaPrimeraVez,
    MorirSiempre,
    PedirYFallar,
    armar_con_celery,
    inquilino,
)
from tests.integracion.seedwork.conftest import RAIZ

from seedwork import Mensajeria
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.diferidas import EjecucionesProhibidas, SinEjecutorDiferido
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.tablas import SinHandler
from seedwork.dominio.eventos import nuevo_id
from seedwork.infraestructura.brokers import BrokerNoDisponible
from seedwork.infraestructura.codificacion import MensajeInvalido
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.sistema import Sistema, bootstrap
from seedwork.infraestructura.tareas_celery import MUERTES_MAXIMAS, TAREA, configurar_celery_app

PLAZO_S = 90.0


@contextmanager
def _redis() -> Iterator[tuple[str, str]]:
    """Una base del Redis de pruebas y un prefijo de claves que se borran al terminar."""
    url, cola = urlunsplit(urlsplit(url_de_redis())._replace(path="/9")), f"celery-{uuid4().hex[:12]}"
    try:
        yield url, cola
    finally:
        with Redis.from_url(url) as redis:
            for clave in redis.scan_iter(f"{cola}:*"):
                redis.delete(clave)


@contextmanager
def _rabbitmq() -> Iterator[tuple[str, str]]:
    yield url_de_rabbitmq(), f"celery-{uuid4().hex[:12]}"


class Worker:
    """Un worker de Celery en su proceso."""

    def __init__(self, registro: Path) -> None:
        self._registro = registro
        with registro.open("wb") as salida:
            self._proceso = subprocess.Popen(
                [
                    sys.executable, "-m", "celery", "-A", "tests.integracion.seedwork.celery_banco:app", "worker",
                    "--concurrency=2", "--pool=prefork", "--loglevel=INFO", "--without-gossip", "--without-mingle",
                    "--without-heartbeat",
                ],
                cwd=RAIZ,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(RAIZ / "src"), str(RAIZ)])},
                stdout=salida,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    def dice(self, texto: str) -> bool:
        assert self._proceso.poll() is None, self._registro.read_text()
        return texto in self._registro.read_text()

    def parar(self) -> None:
        self._proceso.send_signal(signal.SIGTERM)
        try:
            self._proceso.wait(20)
        except subprocess.TimeoutExpired:
            self._proceso.kill()
            self._proceso.wait()


@dataclass
class Banco:
    bus: Sistema
    celery: Celery
    worker: Worker
    carpeta: Path
    de: Callable[[str], Any]

    def hechos(self) -> list[Any]:
        return self.bus.ejecutar(Hechos())


async def _hasta(condicion: Callable[[], bool]) -> None:
    async with asyncio.timeout(PLAZO_S):
        while not await asyncio.to_thread(condicion):
            await asyncio.sleep(0.05)


@pytest.fixture(params=["redis-sqlite", "rabbitmq-postgres"])
async def banco(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Banco]:
    cual, base = request.param.split("-")
    with {"redis": _redis, "rabbitmq": _rabbitmq}[cual]() as (url, cola), base_nueva(base, tmp_path) as base_datos:
        for variable, valor in {
            BASE: base_datos, "CELERY_URL": url, "CELERY_COLA": cola, "CELERY_CARPETA": str(tmp_path)
        }.items():  # fmt: skip
            monkeypatch.setenv(variable, valor)
        bus, celery = armar_con_celery()
        worker = Worker(tmp_path / "worker.log")
        try:
            yield Banco(bus, celery, worker, tmp_path, _de if base == "postgres" else lambda _: nullcontext())
        finally:
            worker.parar()
            celery.close()
            bus.cerrar()


@contextmanager
def _de(quien: str) -> Iterator[None]:
    ficha = inquilino.set(quien)
    yield
    inquilino.reset(ficha)


def _hacer(que: str = "a") -> Hacer:
    return Hacer(id=nuevo_id(), lineas=(Linea(que, Decimal("1.10")), Linea("b", Decimal(2))))


@pytest.mark.capacidad("B05")
async def test_un_comando_se_ejecuta_despues_en_el_worker_una_vez_y_solo_si_se_confirma(banco: Banco) -> None:
    with banco.de("ana"):
        with pytest.raises(ZeroDivisionError):
            banco.bus.ejecutar(PedirYFallar(pedido=_hacer("no")))
        assert filas_outbox(banco.bus) == []

        with en_nombre_de(usuario="eva"):
            banco.bus.ejecutar_despues(_hacer("eva"))  # sin relay ni worker todavía: queda en el outbox
        assert len(filas_outbox(banco.bus)) == 1
        testigo = banco.carpeta / "murio"
        pedido = time.time()
        repetido = _hacer("dos")
        async with Mensajeria(bus=banco.bus):
            banco.bus.ejecutar_despues(_hacer("luego"), espera_s=3)
            banco.bus.ejecutar_despues(MorirLaPrimeraVez(testigo=str(testigo)))
            diferido = {
                "id": str(uuid4()), "comando": f"{Hacer.__module__}.Hacer", "usuario": None,
                "contenido": banco.bus.cola.escribir(repetido), "schema": "ana", "no_antes": "2026-01-01T00:00:00Z",
            }  # fmt: skip
            for _ in range(2):  # Celery entrega al menos una vez
                banco.celery.send_task(TAREA, kwargs=diferido, task_id=diferido["id"], serializer="json")
            ajeno = {**diferido, "id": str(uuid4()), "comando": "os.system"}
            banco.celery.send_task(TAREA, kwargs=ajeno, task_id=ajeno["id"], serializer="json")

            await _hasta(lambda: {"eva=1.10 b=2", "luego=1.10 b=2", "dos=1.10 b=2", "renacido"} <= _que(banco))
            await _hasta(
                lambda: banco.worker.dice("celery.repetido") and banco.worker.dice("Aquí no hay ningún comando")
            )

        hechos = {hecho.que: hecho for hecho in banco.hechos()}
        assert len(banco.hechos()) == len(hechos) == 4
        assert testigo.exists()  # murió con la tarea en las manos, y la tarea volvió
        assert all(hecho.proceso != os.getpid() for hecho in hechos.values())
        assert hechos["eva=1.10 b=2"].creado_por == "eva"
        assert hechos["dos=1.10 b=2"].creado_por == "sistema"
        assert hechos["luego=1.10 b=2"].creado_en.timestamp() >= pedido + 3


async def test_el_que_siempre_mata_a_su_worker_acaba_en_las_letras_muertas_y_reenviado_empieza_de_cero(
    banco: Banco,
) -> None:
    testigo = banco.carpeta / "muertes"
    with banco.de("ana"):
        async with Mensajeria(bus=banco.bus) as mensajeria:
            letras = mensajeria.broker.letras_muertas
            id = banco.bus.ejecutar_despues(MorirSiempre(testigo=str(testigo)))
            async with asyncio.timeout(PLAZO_S):
                while not (muertas := await letras.listar()):
                    await asyncio.sleep(0.05)
            assert _veces(testigo) == MUERTES_MAXIMAS
            assert f"MorirSiempre mató {MUERTES_MAXIMAS} veces" in muertas[0].motivo
            assert id.encode() in muertas[0].mensaje.cuerpo
            assert banco.worker.dice("celery.apartado")

            banco.bus.ejecutar_despues(_hacer("otro"))  # el worker y lo demás siguen
            await asyncio.to_thread(Path(f"{testigo}.arreglado").touch)
            await letras.reenviar(muertas[0].id)
            await _hasta(lambda: {"arreglado", "otro=1.10 b=2"} <= _que(banco))
        assert _veces(testigo) == MUERTES_MAXIMAS + 1


def _veces(testigo: Path) -> int:
    return len(testigo.read_text())


def _que(banco: Banco) -> set[str]:
    with banco.de("ana"):
        return {hecho.que for hecho in banco.hechos()}


# --- sin servidores -----------------------------------------------------------------------------------------------


class Opaca:
    pass


@dataclass(frozen=True)
class Raro(Comando[None]):
    cosa: Any


def _raro(comando: Raro) -> None: ...


@contextmanager
def _bus(carpeta: Path, **opciones: Any) -> Iterator[Sistema]:
    bus = bootstrap(comandos={Raro: _raro}, base_datos=f"sqlite:///{carpeta}/b.db", **opciones)
    yield bus
    bus.cerrar()


def test_sin_celery_configurado_se_dice_que_llamar(tmp_path: Path) -> None:
    with _bus(tmp_path) as bus, pytest.raises(SinEjecutorDiferido, match="configurar_celery_app"):
        bus.ejecutar_despues(Raro(1))


@pytest.mark.capacidad("B05")
def test_donde_se_prohiben_las_ejecuciones_asincronas_se_dice_y_nada_sale(tmp_path: Path) -> None:
    with _bus(tmp_path, permitir_ejecuciones_asincronas=False) as bus:
        configurar_celery_app(Celery(), bus)
        with pytest.raises(EjecucionesProhibidas, match="permitir_ejecuciones_asincronas=False"):
            bus.ejecutar_despues(Raro(1))
        assert filas_outbox(bus) == []


def test_lo_que_no_se_puede_escribir_o_nadie_atiende_se_rechaza_al_pedirlo(tmp_path: Path) -> None:
    with _bus(tmp_path) as bus:
        configurar_celery_app(Celery(), bus)
        with pytest.raises(ValueError, match=r"Raro no se puede ejecutar después"):
            bus.ejecutar_despues(Raro(Opaca()))
        with pytest.raises(SinHandler, match="Hacer"):
            bus.ejecutar_despues(_hacer())
        for espera_s in (-1, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="espera_s"):
                bus.ejecutar_despues(Raro(1), espera_s=espera_s)
        assert filas_outbox(bus) == []


def test_el_worker_solo_lee_comandos_de_su_tabla_y_bien_formados(tmp_path: Path) -> None:
    with _bus(tmp_path) as bus:
        nombre = f"{Raro.__module__}.Raro"
        assert bus.cola.leer(nombre, '{"cosa": [1, "á"]}') == Raro([1, "á"])
        for comando, contenido in (("os.system", "{}"), (nombre, "{}"), (nombre, "no es JSON"), (nombre, "[1]")):
            with pytest.raises(MensajeInvalido):
                bus.cola.leer(comando, contenido)


def test_configurar_dos_veces_es_una_y_otra_aplicacion_se_rechaza(tmp_path: Path) -> None:
    celery = Celery()
    with _bus(tmp_path) as bus:
        configurar_celery_app(celery, bus)
        configurar_celery_app(celery, bus)
        assert [m.nombre for m in bus.modulos].count("tareas-celery") == 1
        with pytest.raises(ErrorDeArranque, match="ya tiene otra"):
            configurar_celery_app(Celery(), bus)
    with pytest.raises(ErrorDeArranque, match="base_datos"):
        configurar_celery_app(celery, bootstrap())


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{}/0", "amqp://guest:guest@127.0.0.1:{}//"])
def test_con_celery_caido_la_entrega_espera_sin_gastar_intentos(tmp_path: Path, url: str) -> None:
    import socket

    from seedwork.infraestructura.politica import es_de_infraestructura
    from seedwork.infraestructura.tareas_celery import ComandoDiferido

    with socket.socket() as reservado:
        reservado.bind(("127.0.0.1", 0))  # sin escuchar: nadie contesta en ese puerto
        celery = Celery(broker=url.format(reservado.getsockname()[1]))
        with _bus(tmp_path) as bus:
            configurar_celery_app(celery, bus)
            diferido = ComandoDiferido(
                id="1", comando="c", contenido="{}", no_antes=_fecha(), usuario=None, schema=None
            )
            with pytest.raises(BrokerNoDisponible, match="Celery no responde") as caida:
                bus.cola.entregar(diferido)
            assert es_de_infraestructura(caida.value)
        celery.close()


def _fecha() -> Any:
    from seedwork.dominio.eventos import ahora

    return ahora()

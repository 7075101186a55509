"""`bootstrap`: con valores por defecto basta, y cada pieza se puede reemplazar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session, sessionmaker
from tests.integracion.seedwork.banco import (
    BANCO,
    Abrir,
    CuentaAbierta,
    Cuentas,
    Depositar,
    DineroDepositado,
    Saldo,
    filas_outbox,
    metadatos,
)
from tests.integracion.seedwork.conftest import RAIZ

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.modulo import Modulo, tras_confirmar
from seedwork.aplicacion.uow import UnidadTrabajo
from seedwork.dominio.eventos import nuevo_id
from seedwork.dominio.excepciones import ReglaIncumplida
from seedwork.infraestructura.base_datos import BaseOcupada
from seedwork.infraestructura.sistema import Sistema, bootstrap
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

PLAZO_S = 60.0


@contextmanager
def _banco(carpeta: Path, *modulos: Modulo, **opciones: Any) -> Iterator[Sistema]:
    bus = bootstrap([BANCO, *modulos], base_datos=f"sqlite:///{carpeta}/banco.db", base=metadatos, **opciones)
    try:
        yield bus
    finally:
        bus.cerrar()


class UnidadContada(UnidadTrabajoSQLAlchemy):
    """Una unidad de trabajo de la aplicación, con algo suyo."""

    confirmadas = 0

    def commit(self) -> None:
        super().commit()
        type(self).confirmadas += 1


class SesionPropia(Session):
    pass


@pytest.mark.capacidad("B03")
def test_la_unidad_de_trabajo_las_tablas_y_el_usuario_se_reemplazan(tmp_path: Path) -> None:
    UnidadContada.confirmadas = 0
    vistos: list[Any] = []

    def depositar_el_doble(comando: Depositar, repositorio: Cuentas, uow: UnidadContada, sesion: Session) -> int:
        cuenta = repositorio.obtener(comando.id)
        cuenta.depositar(comando.importe * 2)
        repositorio.guardar(cuenta)
        vistos.append((isinstance(sesion, SesionPropia), uow.usuario))
        return cuenta.saldo

    def saldo_fijo(query: Saldo) -> int:
        return -1

    def anotar(evento: DineroDepositado) -> None:
        vistos.append(evento.importe)

    with _banco(
        tmp_path,
        comandos={Depositar: depositar_el_doble},
        queries={Saldo: saldo_fijo},
        eventos={DineroDepositado: [anotar]},
        uow=UnidadContada,
        fabrica_sesion=sessionmaker(class_=SesionPropia, autoflush=False),
        usuario=lambda: "ana",
    ) as bus:
        id = nuevo_id()
        bus.ejecutar(Abrir(id=id))  # lo que no se reemplaza sigue siendo de su módulo
        assert bus.ejecutar(Depositar(id=id, importe=4)) == 8
        assert bus.ejecutar(Saldo(id=id)) == -1
        assert [fila.cabeceras["type"] for fila in filas_outbox(bus)] == ["CuentaAbierta"]
    assert vistos == [(True, "ana"), 8]
    assert UnidadContada.confirmadas == 2


@pytest.mark.capacidad("B03")
def test_el_motor_se_reemplaza_y_aun_asi_escribe_por_turnos(tmp_path: Path) -> None:
    abiertas: list[Any] = []

    def fabrica(url: str) -> Engine:
        motor = create_engine(url)
        event.listen(motor, "connect", lambda conexion, _: abiertas.append(conexion))
        return motor

    with _banco(tmp_path, fabrica_motor=fabrica) as bus:
        id = nuevo_id()
        bus.ejecutar(Abrir(id=id))
        hilos = [threading.Thread(target=bus.ejecutar, args=(Depositar(id=id, importe=1),)) for _ in range(8)]
        for hilo in hilos:
            hilo.start()
        for hilo in hilos:
            hilo.join()
        assert bus.ejecutar(Saldo(id=id)) == 8
        assert abiertas
    with pytest.raises(ErrorDeArranque, match="necesitan `base_datos`"):
        bootstrap(fabrica_motor=fabrica)


def test_con_lo_de_por_defecto_basta_y_las_tablas_solas_son_un_modulo(tmp_path: Path) -> None:
    def repetir(comando: Repetir) -> str:
        return comando.texto * 2

    bus = bootstrap(comandos={Repetir: repetir})
    assert bus.ejecutar(Repetir("a")) == "aa"
    bus.cerrar()


class Repetir(Comando[str]):
    def __init__(self, texto: str) -> None:
        self.texto = texto


# --- errores de los handlers de eventos ---------------------------------------------------------------------------


def _reacciones(visto: list[str], *, fallan: bool = True) -> Modulo:
    def avisar(evento: CuentaAbierta) -> None:
        visto.append("avisar")
        if fallan:
            raise BaseOcupada("no hay quien avise")

    def premiar(evento: CuentaAbierta, repositorio: Cuentas) -> None:
        visto.append("premiar")
        cuenta = repositorio.obtener(evento.id_cuenta)  # ya confirmada: se ve desde otra transacción
        cuenta.depositar(10)
        repositorio.guardar(cuenta)

    async def felicitar(evento: DineroDepositado) -> None:
        visto.append("felicitar")

    return Modulo(
        nombre="reacciones",
        eventos={
            CuentaAbierta: [tras_confirmar(avisar), tras_confirmar(premiar)],
            DineroDepositado: [tras_confirmar(felicitar)],
        },
    )


def test_un_handler_de_tras_confirmar_que_falla_no_deshace_nada_ni_para_a_los_demas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_ENV", raising=False)
    visto: list[str] = []
    with _banco(tmp_path, _reacciones(visto)) as bus:
        id = nuevo_id()
        bus.ejecutar(Abrir(id=id))
        assert bus.ejecutar(Saldo(id=id)) == 10
        assert len(filas_outbox(bus)) == 2
    assert visto == ["avisar", "premiar", "felicitar"]


@pytest.mark.parametrize("como", ["opcion", "entorno"])
def test_si_los_errores_se_suben_salen_tal_cual_y_lo_confirmado_queda_una_vez(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, como: str
) -> None:
    monkeypatch.setenv("TEST_ENV", "true" if como == "entorno" else "false")
    visto: list[str] = []
    with _banco(tmp_path, _reacciones(visto), subir_errores_de_eventos=como == "opcion") as bus:
        id = nuevo_id()
        with pytest.raises(BaseOcupada, match="no hay quien avise"):
            bus.ejecutar(Abrir(id=id))
        assert bus.ejecutar(Saldo(id=id)) == 10
    assert visto == ["avisar", "premiar", "felicitar"]


def test_lo_de_tras_confirmar_no_corre_si_no_se_confirma(tmp_path: Path) -> None:
    visto: list[str] = []

    def rechazar(evento: CuentaAbierta) -> None:
        raise ReglaIncumplida("no")

    with _banco(tmp_path, _reacciones(visto), Modulo(nombre="no", eventos={CuentaAbierta: [rechazar]})) as bus:
        with pytest.raises(ReglaIncumplida):  # un handler de la transacción siempre lanza, y no queda nada
            bus.ejecutar(Abrir(id=nuevo_id()))
        assert filas_outbox(bus) == []
    assert visto == []


def test_una_reaccion_que_pierde_el_bloqueo_optimista_no_repite_el_comando(tmp_path: Path) -> None:
    from seedwork.dominio.excepciones import ConflictoConcurrencia

    def perder(evento: CuentaAbierta) -> None:
        raise ConflictoConcurrencia("otro")

    with _banco(
        tmp_path,
        Modulo(nombre="p", eventos={CuentaAbierta: [tras_confirmar(perder)]}),
        subir_errores_de_eventos=True,
    ) as bus:
        with pytest.raises(ConflictoConcurrencia):
            bus.ejecutar(Abrir(id=nuevo_id()))
        assert len(filas_outbox(bus)) == 1


def test_una_reaccion_corre_con_la_transaccion_ya_cerrada(tmp_path: Path) -> None:
    def comprobar(evento: CuentaAbierta, uow: UnidadTrabajo, sesion: Session) -> None:
        sesion.execute(text("UPDATE cuentas SET saldo = 3"))

    with _banco(tmp_path, Modulo(nombre="c", eventos={CuentaAbierta: [tras_confirmar(comprobar)]})) as bus:
        id = nuevo_id()
        bus.ejecutar(Abrir(id=id))
        assert bus.ejecutar(Saldo(id=id)) == 3


class Sentry:
    """Un Sentry en loopback que guarda los sobres que recibe."""

    def __init__(self) -> None:
        self.eventos: list[dict[str, Any]] = []
        recibir = self.eventos.extend

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                import gzip

                cuerpo = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    cuerpo = gzip.decompress(cuerpo)
                lineas = [json.loads(linea) for linea in cuerpo.splitlines() if linea.startswith(b"{")]
                recibir([linea for linea in lineas if "exception" in linea])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None: ...

        self._servidor = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._hilo = threading.Thread(target=self._servidor.serve_forever)
        self._hilo.start()
        self.dsn = f"http://clave@127.0.0.1:{self._servidor.server_address[1]}/1"

    def cerrar(self) -> None:
        self._servidor.shutdown()
        self._hilo.join()
        self._servidor.server_close()


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    sentry = Sentry()
    yield sentry
    sentry.cerrar()


def _abrir_con_avisos_que_fallan(carpeta: Path, **entorno: str) -> subprocess.CompletedProcess[str]:
    limpio = {k: v for k, v in os.environ.items() if k not in ("TEST_ENV", "ENV_CONFIG", "SENTRY_DSN")}
    return subprocess.run(
        [sys.executable, "-m", "tests.integracion.seedwork.proceso_eventos", str(carpeta)],
        cwd=RAIZ,
        env={**limpio, **entorno, "PYTHONPATH": os.pathsep.join([str(RAIZ / "src"), str(RAIZ)]), "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=PLAZO_S,
        check=False,
    )


@pytest.mark.capacidad("B04")
@pytest.mark.parametrize("ambiente", ["alpha", "production"])
def test_en_alpha_y_production_el_error_de_un_evento_se_registra_y_llega_a_sentry_una_vez(
    tmp_path: Path, sentry: Sentry, ambiente: str
) -> None:
    corrida = _abrir_con_avisos_que_fallan(tmp_path, ENV_CONFIG=ambiente, SENTRY_DSN=sentry.dsn)

    assert corrida.stdout == "confirmada\n"
    assert "bus.evento_fallido" in corrida.stderr
    assert "CuentaAbierta(" in corrida.stderr
    (recibido,) = sentry.eventos
    assert recibido["environment"] == ambiente
    assert recibido["exception"]["values"][-1]["value"] == "no hay quien avise"
    assert recibido["tags"]["evento"].endswith("CuentaAbierta")
    assert recibido["tags"]["handler"].endswith("avisar")


@pytest.mark.capacidad("B04")
@pytest.mark.parametrize(
    ("entorno", "salida", "registrado"),
    [
        ({"ENV_CONFIG": "dev"}, "confirmada\n", True),
        ({"ENV_CONFIG": "production", "TEST_ENV": "true"}, "ValueError: no hay quien avise\n", False),
    ],
)
def test_en_los_demas_ambientes_nada_va_a_sentry_y_con_test_env_el_error_sale(
    tmp_path: Path, sentry: Sentry, entorno: dict[str, str], salida: str, registrado: bool
) -> None:
    corrida = _abrir_con_avisos_que_fallan(tmp_path, SENTRY_DSN=sentry.dsn, **entorno)

    assert corrida.stdout == salida
    assert ("bus.evento_fallido" in corrida.stderr) is registrado
    assert sentry.eventos == []


def test_un_dsn_que_no_se_entiende_detiene_el_arranque(tmp_path: Path) -> None:
    corrida = _abrir_con_avisos_que_fallan(tmp_path, ENV_CONFIG="alpha", SENTRY_DSN="no-es-un-dsn")
    assert "ErrorDeArranque: SENTRY_DSN no se entiende" in corrida.stdout

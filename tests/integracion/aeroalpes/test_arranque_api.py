"""Arrancar y parar el servicio de cada manera que se promete, y lo que dice cuando no puede."""

from __future__ import annotations

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.integracion.aeroalpes.corredor import consumidores, publicados, relevos
from tests.integracion.aeroalpes.reservas import cuerpo, todas
from tests.procesos import RAIZ, Aeroalpes, Api, Proceso, hasta

from aeroalpes.composicion import MODULOS, componer
from aeroalpes.config import leer_configuracion
from seedwork.aplicacion.firmas import ErrorDeArranque

CONSUMIDORES = sum(len(modulo.consumidores) for modulo in MODULOS)
RUIDO = ("Traceback", "Exception ignored", "Warning:", "never awaited")


def _reserva_por_comando(api: Api) -> None:
    aceptada = api.http.post("/vuelos/reserva-comando", json=cuerpo())
    assert aceptada.status_code == 202
    hasta(lambda: api.http.get(aceptada.headers["location"]).status_code == 200, "apareciera la reserva")


def _trabaja_uno(suite: Aeroalpes) -> None:
    """Hay un relay, y cada consumidor está apuntado una vez."""
    hasta(lambda: consumidores(suite.datos) >= CONSUMIDORES, "entraran sus consumidores")
    assert (len(relevos(suite.datos)), consumidores(suite.datos)) == (1, CONSUMIDORES)


def _sin_ruido(proceso: Proceso) -> None:
    assert not [ruido for ruido in RUIDO if ruido in proceso.salida], proceso.salida
    assert not proceso.queda_alguien()


@pytest.mark.capacidad("A01")
@pytest.mark.parametrize("senal", [signal.SIGTERM, signal.SIGINT])
def test_flask_run_solo_es_el_sistema_entero_y_una_senal_lo_cierra_en_orden(
    suite: Aeroalpes, senal: signal.Signals
) -> None:
    api = suite.api()
    _reserva_por_comando(api)
    _trabaja_uno(suite)
    assert (api.ctrl_c() if senal == signal.SIGINT else api.parar()) == 0, api.salida
    assert (relevos(suite.datos), consumidores(suite.datos)) == (set(), 0)
    _sin_ruido(api)


@pytest.mark.capacidad("A01")
def test_con_debug_hay_un_solo_trabajador_y_recargar_para_el_viejo_en_orden(suite: Aeroalpes, tmp_path: Path) -> None:
    vigilado = tmp_path / "vigilado.py"
    vigilado.write_text("")
    api = suite.api("--debug", FLASK_RUN_EXTRA_FILES=str(vigilado), FLASK_RUN_RELOADER_TYPE="stat")
    _reserva_por_comando(api)
    viejo = relevos(suite.datos)
    _trabaja_uno(suite)
    vigilado.write_text("# otra cosa")
    hasta(lambda: relevos(suite.datos) not in (set(), viejo), "otro relay tomara los carriles")
    api.espera_lista()
    _reserva_por_comando(api)
    _trabaja_uno(suite)
    assert api.ctrl_c() == 0
    assert (relevos(suite.datos), consumidores(suite.datos)) == (set(), 0)
    _sin_ruido(api)


def test_flask_routes_no_arranca_ningun_trabajador(suite: Aeroalpes) -> None:
    rutas = suite.python("-m", "flask", "--app", "src/aeroalpes/api", "routes")
    assert rutas.termina() == 0, rutas.salida
    assert "/vuelos/reserva-comando" in rutas.salida
    assert not (suite.datos / "broker.db").exists()
    assert relevos(suite.datos) == set()


def test_con_gunicorn_y_tres_procesos_cada_reserva_llega_una_vez(suite: Aeroalpes) -> None:
    api = suite.gunicorn(3)
    with ThreadPoolExecutor(8) as hilos:
        respuestas = list(hilos.map(lambda _: api.http.post("/vuelos/reserva-comando", json=cuerpo()), range(30)))
    ids = sorted(respuesta.json()["id"] for respuesta in respuestas)
    hasta(lambda: len(todas(api.http)) >= 30, "aparecieran todas")
    hasta(lambda: len(publicados(suite.datos, "eventos-reserva", "ReservaCreada")) >= 30, "salieran sus eventos")
    assert sorted(reserva["id"] for reserva in todas(api.http)) == ids
    assert len(publicados(suite.datos, "eventos-reserva", "ReservaCreada")) == 30
    assert api.parar() == 0, api.salida
    assert (relevos(suite.datos), consumidores(suite.datos)) == (set(), 0)
    _sin_ruido(api)


def test_con_el_trabajador_aparte_dos_api_sobre_los_mismos_datos_reservan_y_el_trabajador_ejecuta(
    suite: Aeroalpes,
) -> None:
    primero, segundo = (suite.api(AEROALPES_TRABAJADOR="aparte", espera=False) for _ in range(2))
    primero.espera_lista()
    segundo.espera_lista()
    ids = {api.http.post("/vuelos/reserva-comando", json=cuerpo()).json()["id"] for api in (primero, segundo)}
    assert relevos(suite.datos) == set()
    assert todas(primero.http) == []
    trabajador = suite.trabajador()
    hasta(lambda: {reserva["id"] for reserva in todas(primero.http)} == ids, "el trabajador las hiciera")
    assert todas(primero.http) == todas(segundo.http)
    for proceso in (trabajador, primero, segundo):
        assert proceso.parar() == 0, proceso.salida
        _sin_ruido(proceso)
    assert (relevos(suite.datos), consumidores(suite.datos)) == (set(), 0)


MALAS = {
    "DATABASE_URL que no lo es": ({"DATABASE_URL": "nada"}, "'nada'"),
    "base desconocida": ({"DATABASE_URL": "foxpro://h/b"}, "foxpro"),
    "base que es una carpeta": ({"DATABASE_URL": "sqlite:////"}, "sqlite:////"),
    "base que no es una base": ({"DATABASE_URL": f"sqlite:///{RAIZ}/LICENSE"}, "not a database"),
    "carpeta que no se puede crear": ({"AEROALPES_DATOS": f"{RAIZ}/LICENSE/datos"}, "LICENSE/datos"),
    "broker desconocido": ({"BROKER_URL": "paloma://yo:secreto@palomar"}, "paloma://yo:***@palomar"),
    "broker embebido sin ruta": ({"BROKER_URL": "embebido:///"}, "embebido:///"),
    "dos brokers": ({"REDIS_URL": "redis://r", "PULSAR_ADDRESS": "p"}, "PULSAR_ADDRESS"),
    "trabajador donde no se puede": (
        {"AEROALPES_TRABAJADOR": "otra"},
        "AEROALPES_TRABAJADOR='otra' no vale: debe ser 'dentro' o 'aparte'",
    ),
}


@pytest.mark.parametrize("caso", MALAS)
def test_una_mala_configuracion_es_un_error_de_arranque_de_una_linea(tmp_path: Path, caso: str) -> None:
    variables, dice = MALAS[caso]
    with pytest.raises(ErrorDeArranque) as error:
        componer(leer_configuracion({"AEROALPES_DATOS": tmp_path, **variables}))
    assert dice in str(error.value)
    assert "\n" not in str(error.value)
    assert "secreto" not in str(error.value)


@pytest.mark.parametrize("caso", ["broker desconocido", "base que no es una base"])
def test_un_error_de_arranque_se_dice_en_una_frase_y_sale_con_uno(suite: Aeroalpes, caso: str) -> None:
    variables, dice = MALAS[caso]
    api = suite.api(espera=False, **variables)
    trabajador = suite.python("src/aeroalpes/main.py", **variables)
    for proceso in (api, trabajador):
        assert proceso.termina() == 1, proceso.salida
        assert len(proceso.salida.strip().splitlines()) == 1, proceso.salida
        assert dice in proceso.salida


def test_un_trabajador_ante_un_broker_que_es_basura_lo_dice_y_sale_con_uno(suite: Aeroalpes) -> None:
    suite.datos.mkdir()
    (suite.datos / "broker.db").write_bytes(b"esto no es un broker " * 500)
    trabajador = suite.python("src/aeroalpes/main.py")
    assert trabajador.termina() == 1, trabajador.salida
    assert "broker.db no es un broker embebido" in trabajador.salida.splitlines()[-1]
    assert not trabajador.queda_alguien()


def test_un_puerto_en_uso_se_nombra_y_sale_con_uno_sin_dejar_nada_tomado(suite: Aeroalpes) -> None:
    with socket.socket() as ocupado:
        ocupado.bind(("127.0.0.1", 0))
        ocupado.listen()
        puerto = ocupado.getsockname()[1]
        api = suite.python("-m", "flask", "--app", "src/aeroalpes/api", "run", "--port", str(puerto))
        assert api.termina() == 1
    assert str(puerto) in api.salida
    assert relevos(suite.datos) == set()
    _sin_ruido(api)


CREAR = """
import sys
from aeroalpes.api import create_app
app = create_app({"DATABASE_URL": sys.argv[1], "BROKER_URL": "embebido://", "TESTING": True})
cliente = app.test_client()
assert app.testing
assert cliente.get("/vuelos/reserva").json["reservas"] == []
app.extensions["en_marcha"].parar()
"""


def test_lo_que_se_da_en_el_codigo_gana_al_entorno(suite: Aeroalpes, tmp_path: Path) -> None:
    base = tmp_path / "en-codigo.db"
    corrida = suite.python(
        "-c", CREAR, f"sqlite:///{base}", PYTHONPATH=str(RAIZ / "src"), DATABASE_URL="foxpro://x", REDIS_URL="redis://x"
    )
    assert corrida.termina() == 0, corrida.salida
    assert base.exists()
    _sin_ruido(corrida)


def test_el_archivo_punto_env_se_lee_y_el_entorno_le_gana(suite: Aeroalpes, tmp_path: Path) -> None:
    base = tmp_path / "de-env.db"
    (tmp_path / ".env").write_text(f"DATABASE_URL=sqlite:///{base}\nAEROALPES_DATOS=/no/existe\n", encoding="utf-8")
    trabajador = suite.python(str(RAIZ / "src/aeroalpes/main.py"), carpeta=tmp_path)
    trabajador.espera_texto("trabajador.listo")
    assert trabajador.ctrl_c() == 0
    assert base.exists()
    assert (suite.datos / "broker.db").exists()
    _sin_ruido(trabajador)

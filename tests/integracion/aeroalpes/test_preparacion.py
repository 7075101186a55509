"""/readyz dice qué falta; /livez, que el proceso vive."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

from tests.integracion.aeroalpes.reservas import cuerpo, es_problema
from tests.procesos import Aeroalpes, Api, hasta


def _no_lista(api: Api) -> dict[str, str]:
    respuesta = hasta(lambda: (r := api.http.get("/readyz")).status_code == 503 and r, "dejara de estar lista")
    assert api.http.get("/livez").json() == api.http.get("/health").json() == {"status": "up"}
    preparacion: dict[str, str] = respuesta.json()
    assert preparacion.pop("status") == "down"
    return {pieza: falta for pieza, falta in preparacion.items() if falta != "bien"}


def test_un_broker_que_es_basura_se_nombra_y_el_api_sigue_reservando(suite: Aeroalpes) -> None:
    suite.datos.mkdir(parents=True)
    (suite.datos / "broker.db").write_bytes(b"esto no es un broker " * 500)
    api = suite.api(espera=False)
    hasta(lambda: "Running on" in api.salida, "arrancara")
    falta = _no_lista(api)
    assert falta.keys() == {"broker"}
    assert "broker.db" in falta["broker"]
    assert api.http.post("/vuelos/reserva", json=cuerpo()).status_code == 200
    assert api.http.post("/vuelos/reserva-comando", json=cuerpo()).status_code == 202
    assert api.parar() == 0


def test_una_base_estropeada_se_nombra_y_no_se_cuenta_como_error_del_cliente(suite: Aeroalpes) -> None:
    api = suite.api(AEROALPES_TRABAJADOR="aparte")
    with closing(sqlite3.connect(suite.datos / "aeroalpes.db")) as db:
        db.execute("DROP TABLE outbox")
        db.execute("DROP TABLE vuelos_reservas")
    falta = _no_lista(api)
    assert falta.keys() == {"base_datos", "relay"}
    assert "no such table" in falta["base_datos"]
    assert "SELECT" not in falta["base_datos"]
    problema = es_problema(api.http.post("/vuelos/reserva", json=cuerpo()), 503)
    assert "INSERT" not in problema["detail"]
    es_problema(api.http.get("/vuelos/reserva"), 503)


def test_sin_nadie_que_publique_lo_pendiente_falta_el_relay_y_con_trabajador_deja_de_faltar(suite: Aeroalpes) -> None:
    api = suite.api(AEROALPES_TRABAJADOR="aparte")
    api.http.post("/vuelos/reserva", json=cuerpo())
    assert api.http.get("/readyz").status_code == 200
    with closing(sqlite3.connect(suite.datos / "aeroalpes.db", timeout=10)) as db, db:
        db.execute("UPDATE outbox SET creado_ms = ?", (int(time.time() * 1000) - 31_000,))
    falta = _no_lista(api)
    assert falta.keys() == {"relay"}
    assert "31 s" in falta["relay"]
    suite.trabajador()
    hasta(lambda: api.http.get("/readyz").status_code == 200, "el relay se pusiera al día")

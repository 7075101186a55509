"""`@event` sobre servidores de verdad: se publica tras la respuesta, nunca si la acción falla, y no la estropea."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.procesos import RAIZ, Api, hasta, puerto_libre

from seedwork import Mensaje, conectar

VISTAS = """
import os, time
from dataclasses import dataclass
from flask import Flask, Response, jsonify
from pydantic import BaseModel
from seedwork import Mensajeria, MensajeriaEnHilo

mensajeria = Mensajeria(servicio="usuarios", base_datos=os.environ.get("BASE"), topico="eventos-usuario")
en_hilo = MensajeriaEnHilo(mensajeria)
app = Flask(__name__)

@dataclass
class Usuario:
    id: int
    correo: str

@app.get("/readyz")
def lista():
    mensajeria.broker
    return {}

@app.post("/dict")
@mensajeria.event("user.created", key_field="id")
def crear():
    return {"id": 1, "email": "a@b"}

@app.post("/con-estado")
@mensajeria.event("user.created", topic="otro", key_field="id")
def con_estado():
    return jsonify(id=2), 201

@app.post("/sin-datos")
@mensajeria.event("user.created", key_field="id", include_result=False)
def sin_datos():
    return {"id": 3}

@app.post("/lanza")
@mensajeria.event("user.created")
def lanza():
    raise RuntimeError("no")

@app.post("/error")
@mensajeria.event("user.created")
def error():
    return {"id": 5}, 422

@app.post("/sin-clave")
@mensajeria.event("user.created", key_field="no_esta")
def sin_clave():
    return {"id": 6}

@app.post("/dentro")
def dentro():
    crear_usuario(7)
    return "hecho"

@mensajeria.event("user.created", key_field="id")
def crear_usuario(id):
    return Usuario(id, "x@y")

@app.post("/lenta")
@mensajeria.event("user.created", key_field="id")
def lenta():
    def cuerpo():
        yield '{"id": '
        while not os.path.exists("soltar"):
            time.sleep(0.01)
        yield '8}'
    crear_usuario(8)
    return Response(cuerpo(), content_type="text/plain")
"""

ASGI = """
import asyncio, json, os
from contextlib import asynccontextmanager
from seedwork import Mensajeria, PublicarAlResponder

mensajeria = Mensajeria(servicio="usuarios", base_datos=os.environ.get("BASE"))

@mensajeria.event("user.created", key_field="id")
async def crear(id):
    return {"id": id}

@mensajeria.event("user.created", key_field="id")
def crear_sincrono(id):
    return {"id": id}

async def responder(send, estado, *trozos):
    await send({"type": "http.response.start", "status": estado, "headers": [(b"content-type", b"application/json")]})
    for trozo in trozos[:-1]:
        await send({"type": "http.response.body", "body": trozo, "more_body": True})
        while not os.path.exists("soltar"):
            await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": trozos[-1]})

@mensajeria.event("pedido.visto")
async def pura(scope, receive, send):
    await responder(send, 200, b"{}")
    return {"ruta": scope["path"]}

async def vistas(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        async with mensajeria:
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
        await send({"type": "lifespan.shutdown.complete"})
        return
    ruta = scope["path"]
    if ruta == "/readyz":
        mensajeria.broker
        await responder(send, 200, b"{}")
    elif ruta == "/crear":
        await responder(send, 201, json.dumps(await crear(1)).encode())
    elif ruta == "/sincrona":
        await responder(send, 200, json.dumps(await asyncio.to_thread(crear_sincrono, 2)).encode())
    elif ruta == "/error":
        await crear(3)
        await responder(send, 422, b"{}")
    elif ruta == "/lanza":
        await crear(4)
        raise RuntimeError("no")
    elif ruta == "/lenta":
        await crear(5)
        await responder(send, 200, b'{"id":', b"5}")
    else:
        await pura(scope, receive, send)

app = PublicarAlResponder(vistas)
"""


@pytest.fixture(params=["sin base", "con base"])
def entorno(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    base = {"BASE": f"sqlite:///{tmp_path}/base.db"} if request.param == "con base" else {}
    return {"PYTHONPATH": str(RAIZ / "src"), "BROKER_URL": url_de(tmp_path), **base}


def url_de(carpeta: Path) -> str:
    return f"embebido:///{carpeta}/broker.db"


class Lectura:
    """Lo publicado en el broker de la prueba, leído desde un hilo."""

    def __init__(self, url: str) -> None:
        self.mensajes: list[Mensaje] = []
        self._parar = threading.Event()
        self._lista = threading.Event()
        self._hilo = threading.Thread(target=lambda: asyncio.run(self._leer(url)))
        self._hilo.start()
        assert self._lista.wait(20)

    async def _leer(self, url: str) -> None:
        broker = conectar(url)
        suscripcion = await broker.suscribir("prueba", ["#"])
        self._lista.set()
        while not self._parar.is_set():
            try:
                async with asyncio.timeout(0.1):
                    entregas = await suscripcion.recibir(100)
            except TimeoutError:
                continue
            await suscripcion.confirmar(entregas)
            self.mensajes += [entrega.mensaje for entrega in entregas]
        await broker.cerrar()

    def datos(self) -> list[Any]:
        return [json.loads(mensaje.cuerpo)["data"] for mensaje in self.mensajes]

    def cerrar(self) -> None:
        self._parar.set()
        self._hilo.join()


@pytest.fixture
def lectura(tmp_path: Path) -> Iterator[Lectura]:
    lectura = Lectura(url_de(tmp_path))
    yield lectura
    lectura.cerrar()


@pytest.fixture
def flask(tmp_path: Path, entorno: dict[str, str]) -> Iterator[Api]:
    (tmp_path / "vistas.py").write_text(VISTAS, encoding="utf-8")
    puerto = puerto_libre()
    orden = [sys.executable, "-W", "error", "-m", "flask", "--app", "vistas", "run", "--port", str(puerto)]
    yield from _api(orden, entorno, tmp_path, puerto)


@pytest.fixture
def asgi(tmp_path: Path, entorno: dict[str, str]) -> Iterator[Api]:
    (tmp_path / "servicio.py").write_text(ASGI, encoding="utf-8")
    puerto = puerto_libre()
    orden = [sys.executable, "-m", "uvicorn", "servicio:app", "--port", str(puerto), "--app-dir", str(tmp_path)]
    yield from _api(orden, entorno, tmp_path, puerto)


def _api(orden: list[str], entorno: dict[str, str], carpeta: Path, puerto: int) -> Iterator[Api]:
    api = Api(orden, entorno, carpeta / "salida", carpeta, puerto)
    try:
        api.espera_lista()
        yield api
    finally:
        api.cerrar()


@pytest.mark.capacidad("M02")
def test_una_vista_de_flask_publica_su_retorno_tras_la_respuesta_y_nada_si_falla(flask: Api, lectura: Lectura) -> None:
    estados = {
        ruta: flask.http.post(ruta).status_code
        for ruta in ("/lanza", "/error", "/sin-clave", "/dict", "/con-estado", "/sin-datos", "/dentro")
    }
    assert estados == {
        "/lanza": 500, "/error": 422, "/sin-clave": 200,
        "/dict": 200, "/con-estado": 201, "/sin-datos": 200, "/dentro": 200,
    }  # fmt: skip
    hasta(lambda: len(lectura.mensajes) >= 4, f"llegaran los cuatro; {flask.salida}")
    assert sorted((m.topico, m.clave, m.cabeceras["type"]) for m in lectura.mensajes) == [
        ("eventos-usuario", "1", "user.created"),
        ("eventos-usuario", "3", "user.created"),
        ("eventos-usuario", "7", "user.created"),
        ("otro", "2", "user.created"),
    ]
    por_clave = {m.clave: json.loads(m.cuerpo) for m in lectura.mensajes}
    assert por_clave["1"]["data"] == {"id": 1, "email": "a@b"}
    assert por_clave["2"]["data"] == {"id": 2}
    assert por_clave["3"]["data"] == {}
    assert por_clave["7"]["data"] == {"id": 7, "correo": "x@y"}
    assert {sobre["source"] for sobre in por_clave.values()} == {"usuarios"}
    assert "mensajeria.evento_perdido" in flask.salida, "lo que no se pudo publicar queda dicho"


@pytest.mark.parametrize("entorno", ["sin base"], indirect=True)
def test_en_flask_espera_a_que_la_respuesta_se_haya_enviado_entera(
    flask: Api, lectura: Lectura, tmp_path: Path
) -> None:
    with flask.http.stream("POST", "/lenta") as respuesta:
        trozos = respuesta.iter_text()
        assert next(trozos) == '{"id": '
        time.sleep(0.3)
        assert lectura.mensajes == [], "todavía no ha salido la respuesta"
        (tmp_path / "soltar").touch()
        assert next(trozos) == "8}"
    hasta(lambda: lectura.datos() == [{"id": 8, "correo": "x@y"}], "se publicara")


@pytest.mark.parametrize("entorno", ["sin base"], indirect=True)
def test_en_flask_si_el_cliente_se_va_a_medias_lo_hecho_se_publica(
    flask: Api, lectura: Lectura, tmp_path: Path
) -> None:
    with httpx.Client(base_url=flask.url, trust_env=False) as cliente, cliente.stream("POST", "/lenta") as respuesta:
        next(respuesta.iter_text())
    (tmp_path / "soltar").touch()
    hasta(lambda: lectura.datos() == [{"id": 8, "correo": "x@y"}], "se publicara")


def test_en_asgi_se_publica_tras_la_respuesta_y_nada_si_falla(asgi: Api, lectura: Lectura) -> None:
    estados = {ruta: asgi.http.post(ruta).status_code for ruta in ("/lanza", "/error", "/crear", "/sincrona", "/otra")}
    assert estados == {"/lanza": 500, "/error": 422, "/crear": 201, "/sincrona": 200, "/otra": 200}
    hasta(lambda: len(lectura.mensajes) >= 3, f"llegaran los tres; {asgi.salida}")
    publicado = {(m.cabeceras["type"], m.clave): json.loads(m.cuerpo)["data"] for m in lectura.mensajes}
    assert publicado == {
        ("user.created", "1"): {"id": 1},
        ("user.created", "2"): {"id": 2},
        ("pedido.visto", None): {"ruta": "/otra"},
    }
    assert asgi.parar() in (0, -signal.SIGTERM), asgi.salida
    assert "Application shutdown complete" in asgi.salida


@pytest.mark.parametrize("entorno", ["sin base"], indirect=True)
def test_en_asgi_espera_a_que_la_respuesta_se_haya_enviado_entera(asgi: Api, lectura: Lectura, tmp_path: Path) -> None:
    with asgi.http.stream("POST", "/lenta") as respuesta:
        trozos = respuesta.iter_text()
        assert next(trozos) == '{"id":'
        time.sleep(0.3)
        assert lectura.mensajes == []
        (tmp_path / "soltar").touch()
        assert next(trozos) == "5}"
    hasta(lambda: lectura.datos() == [{"id": 5}], "se publicara")

"""Cómo sabe el lanzador que un proceso está listo, y qué arranca en AeroAlpes."""

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from arranque.aeroalpes import suite
from arranque.listo import por_archivo, por_grpc, por_http
from arranque.suite import ArranqueImposible, Puerto

PID = os.getpid()


def puerto(numero: int, host: str = "127.0.0.1") -> Puerto:
    return Puerto(numero=numero, variable="X_PUERTO", para="x", host=host)


@contextmanager
def servidor_http(respuesta: bytes) -> Iterator[int]:
    class Atiende(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(respuesta)

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Atiende) as servidor:
        hilo = threading.Thread(target=servidor.serve_forever)
        hilo.start()
        yield servidor.server_port
        servidor.shutdown()
        hilo.join()


@pytest.mark.parametrize(
    ("respuesta", "esperado"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 503 No\r\n\r\n", False),
        (b"esto no es HTTP", False),
        (b"", False),
    ],
)
def test_por_http_solo_un_200_es_estar_listo(respuesta: bytes, esperado: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with servidor_http(respuesta) as numero:
        assert por_http(puerto(numero), "/readyz")(PID) is esperado


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_por_grpc_solo_serving_es_estar_listo(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    salud = health.HealthServicer()
    servidor = grpc.server(ThreadPoolExecutor(max_workers=2))
    health_pb2_grpc.add_HealthServicer_to_server(salud, servidor)
    listo = por_grpc(puerto(servidor.add_insecure_port(f"{host}:0"), host))
    servidor.start()
    salud.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert not listo(PID)
    salud.set("", health_pb2.HealthCheckResponse.SERVING)
    assert listo(PID)
    servidor.stop(None).wait()
    assert not listo(PID)


def test_sin_nadie_que_escuche_no_hay_nada_listo() -> None:
    with socket.socket() as reservado:
        reservado.bind(("127.0.0.1", 0))
        numero = reservado.getsockname()[1]
        assert not por_http(puerto(numero), "/readyz")(PID)
        assert not por_grpc(puerto(numero))(PID)


def test_por_archivo_solo_vale_el_pid_de_este_proceso(tmp_path: Path) -> None:
    archivo = tmp_path / "notificaciones.listo"
    listo = por_archivo(archivo)
    assert not listo(PID)
    for contenido, esperado in [("", False), (f"{PID + 1}\n", False), ("ñandú", False), (f"{PID}\n", True)]:
        archivo.write_text(contenido, encoding="utf-8")
        assert listo(PID) is esperado


def test_la_suite_usa_los_puertos_publicados_y_anuncia_la_pagina() -> None:
    aeroalpes = suite({})
    puertos = {
        proceso.nombre: proceso.puerto and (proceso.puerto.variable, proceso.puerto.numero)
        for proceso in aeroalpes.procesos
    }
    assert puertos == {
        "api": ("AEROALPES_PUERTO", 5000),
        "sidecar": ("SIDECAR_PUERTO", 50051),
        "notificaciones": None,
        "ui": ("UI_PUERTO", 5678),
    }
    assert "http://localhost:5678/ " in aeroalpes.anuncio


def test_la_suite_atiende_a_las_variables_y_una_vacia_cuenta_como_ausente() -> None:
    aeroalpes = suite({"AEROALPES_PUERTO": "5001", "UI_PUERTO": "80", "UI_HOST": "0.0.0.0", "SIDECAR_PUERTO": ""})
    numeros = [proceso.puerto.numero for proceso in aeroalpes.procesos if proceso.puerto]
    assert numeros == [5001, 50051, 80]
    assert aeroalpes.procesos[0].orden[-2:] == ("--port", "5001")
    assert "http://localhost:80/ " in aeroalpes.anuncio
    with pytest.raises(ArranqueImposible, match="UI_PUERTO debe ser un puerto"):
        suite({"UI_PUERTO": "ochenta"})

"""Lo que espera a que salga una respuesta de Flask, cuando el servidor no la cierra como debe."""

from __future__ import annotations

import pytest
from flask import Flask, Response
from werkzeug.test import create_environ

from seedwork.infraestructura.respuesta import al_responder


def respondiendo(estado: int, hechas: list[str]) -> Response:
    """La respuesta de una vista que deja dos cosas para después, entera en manos de quien la pidió."""
    app = Flask(__name__)

    @app.get("/")
    def vista() -> tuple[Response, int]:
        al_responder(lambda: hechas.append("primera"))
        al_responder(lambda: hechas.append("segunda"))
        return Response(trozo for trozo in ("a", "b")), estado

    with app.request_context(create_environ()):
        return app.full_dispatch_request()


def test_cerrada_corre_lo_pendiente_en_orden_y_una_vez() -> None:
    hechas: list[str] = []
    respuesta = respondiendo(200, hechas)
    assert hechas == []
    respuesta.close()
    del respuesta
    assert hechas == ["primera", "segunda"]


def test_enviada_entera_no_espera_a_que_la_cierren() -> None:
    hechas: list[str] = []
    respuesta = respondiendo(200, hechas)
    trozos = respuesta.iter_encoded()
    assert [next(trozos), next(trozos)] == [b"a", b"b"]
    assert hechas == [], "el último trozo está por salir"
    assert next(trozos, None) is None
    assert hechas == ["primera", "segunda"]
    respuesta.close()
    assert hechas == ["primera", "segunda"]


def test_soltada_sin_cerrar_tambien() -> None:
    hechas: list[str] = []
    respuesta = respondiendo(200, hechas)
    assert hechas == []
    del respuesta
    assert hechas == ["primera", "segunda"]


@pytest.mark.parametrize("cerrar", [True, False])
def test_si_es_un_error_no_corre_nada(cerrar: bool) -> None:
    hechas: list[str] = []
    respuesta = respondiendo(422, hechas)
    if cerrar:
        respuesta.close()
    del respuesta
    assert hechas == []

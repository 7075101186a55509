"""Las letras muertas por HTTP: ida y vuelta, y lo que responde cuando no puede."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tests.procesos import hasta

from seedwork import Mensajeria, MensajeriaEnHilo, Reintentos
from seedwork.presentacion import problemas
from seedwork.presentacion.letras_muertas import letras_muertas


class Servicio:
    def __init__(self, carpeta: Path) -> None:
        self.mensajeria = Mensajeria(f"embebido:///{carpeta}/broker.db", servicio="s")
        self.arreglado = False
        self.atendidos: list[int] = []

        @self.mensajeria.on_event("pedido", reintentos=Reintentos(maximo=0))
        def fragil(pedido: dict) -> None:  # type: ignore[type-arg]
            if not self.arreglado:
                raise RuntimeError("todavía no")
            self.atendidos.append(pedido["id"])

        self.en_hilo = MensajeriaEnHilo(self.mensajeria)
        app = Flask(__name__)
        problemas.instalar(app)
        app.register_blueprint(letras_muertas(self.en_hilo), url_prefix="/letras-muertas")
        self.http: FlaskClient = app.test_client()

    def letras(self, consulta: str = "") -> list[dict[str, str]]:
        respuesta = self.http.get(f"/letras-muertas/{consulta}")
        letras: list[dict[str, str]] = respuesta.get_json().get("letras", []) if respuesta.status_code == 200 else []
        return letras


@pytest.fixture
def servicio(tmp_path: Path) -> Iterator[Servicio]:
    servicio = Servicio(tmp_path)
    yield servicio
    servicio.en_hilo.parar()


@pytest.mark.capacidad("X05")
def test_se_listan_ven_reenvian_y_descartan(servicio: Servicio) -> None:
    hasta(lambda: servicio.http.get("/letras-muertas/").status_code == 200, "arrancara")
    for n in (1, 2, 3):
        servicio.en_hilo.pedir(partial(servicio.mensajeria.publish_event, "pedido", {"id": n}), 10)
    letras = hasta(lambda: len(todas := servicio.letras()) == 3 and todas, "murieran las tres")
    assert {(letra["suscripcion"], letra["motivo"]) for letra in letras} == {("s.fragil", "RuntimeError: todavía no")}
    assert len(servicio.letras("?maximo=2")) == 2
    assert servicio.letras("?suscripcion=otra") == []

    por_cuerpo = {servicio.http.get(f"/letras-muertas/{letra['id']}").get_json()["cuerpo"]: letra for letra in letras}
    uno, dos = (next(letra for cuerpo, letra in por_cuerpo.items() if f'"id":{n}' in cuerpo) for n in (1, 2))
    servicio.arreglado = True
    assert servicio.http.post(f"/letras-muertas/{uno['id']}/reenviar").status_code == 204
    hasta(lambda: servicio.atendidos == [1], "se atendiera")
    assert servicio.http.delete(f"/letras-muertas/{dos['id']}").status_code == 204
    assert len(servicio.letras()) == 1
    assert servicio.atendidos == [1]


def test_lo_que_no_existe_o_no_se_entiende_es_un_problema(servicio: Servicio) -> None:
    hasta(lambda: servicio.http.get("/letras-muertas/").status_code == 200, "arrancara")
    for metodo, ruta in (("get", "no-esta"), ("post", "no-esta/reenviar"), ("delete", "no-esta")):
        respuesta = getattr(servicio.http, metodo)(f"/letras-muertas/{ruta}")
        assert (respuesta.status_code, respuesta.content_type) == (404, "application/problem+json")
    assert servicio.http.get("/letras-muertas/?maximo=0").status_code == 400


def test_con_la_mensajeria_parada_es_un_503(servicio: Servicio) -> None:
    servicio.en_hilo.parar()
    respuesta = servicio.http.get("/letras-muertas/")
    assert (respuesta.status_code, respuesta.content_type) == (503, "application/problem+json")

"""La OpenAPI dice la verdad: es válida, nombra todo lo que se sirve, y el proceso vivo la cumple."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from tests.procesos import Aeroalpes, Api

from aeroalpes.api import contratos, create_app


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app({"AEROALPES_DATOS": tmp_path, "AEROALPES_TRABAJADOR": "aparte"})
    yield app
    app.extensions["en_marcha"].parar()


def _openapi(app: Flask) -> dict[str, Any]:
    documento: dict[str, Any] = app.test_client().get("/spec").json
    return documento


def test_es_openapi_3_1_valida(http: httpx.Client) -> None:
    OpenAPIV31SpecValidator(http.get("/spec").json()).validate()


def test_nombra_cada_ruta_servida_y_ninguna_mas(app: Flask) -> None:
    descritas = {(metodo.upper(), ruta) for ruta, metodos in _openapi(app)["paths"].items() for metodo in metodos}
    servidas = {
        (metodo, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", regla.rule))
        for regla in app.url_map.iter_rules()
        for metodo in (regla.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert descritas == servidas


@pytest.mark.capacidad("A15")
def test_sus_esquemas_son_los_de_contratos(app: Flask) -> None:
    propios = {
        nombre: modelo
        for nombre, modelo in vars(contratos).items()
        if isinstance(modelo, type) and issubclass(modelo, BaseModel) and modelo.__module__ == contratos.__name__
    }
    for nombre, esquema in _openapi(app)["components"]["schemas"].items():
        de_contratos = propios[nombre].model_json_schema(
            by_alias=True, mode="validation", ref_template="#/components/schemas/{model}"
        )
        de_contratos.pop("$defs", None)
        assert esquema == json.loads(json.dumps(de_contratos)), nombre


@pytest.mark.capacidad("A15")
def test_cada_error_descrito_es_un_problema(app: Flask) -> None:
    for ruta, metodos in _openapi(app)["paths"].items():
        for operacion in metodos.values():
            for estado, respuesta in operacion["responses"].items():
                if int(estado) >= 400 and ruta != "/readyz":
                    assert respuesta["content"] == {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problema"}}
                    }


SCHEMATHESIS = """
# Lo que el esquema admite puede incumplir una regla de negocio (422) o chocar con lo que ya hay (409).
# Ni lo uno ni lo otro es un desacuerdo.
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 422]

[phases.coverage]
unexpected-methods = ["PUT"]

# Un cursor es opaco: el esquema no puede decir cuáles existen.
[[operations]]
include-name = ["GET /vuelos/reserva", "GET /vuelos/reserva-query", "GET /sagas"]
checks.positive_data_acceptance.enabled = false
"""


def test_el_proceso_vivo_cumple_lo_que_promete(api: Api, suite: Aeroalpes, tmp_path: Path) -> None:
    """Schemathesis inventa peticiones, buenas y malas, y comprueba cada respuesta contra la descripción."""
    configuracion = tmp_path / "schemathesis.toml"
    configuracion.write_text(SCHEMATHESIS, encoding="utf-8")
    corrida = suite.python(
        "-W", "default", "-m", "schemathesis.cli", "--config-file", str(configuracion), "run", f"{api.url}/spec",
        "--phases", "coverage,fuzzing", "--max-examples", "5", "--seed", "1", "--no-color",
        "--suppress-health-check", "all", "--generation-database", "none", "--workers", "1",
        carpeta=tmp_path,
    )  # fmt: skip
    assert corrida.termina(180) == 0, corrida.salida

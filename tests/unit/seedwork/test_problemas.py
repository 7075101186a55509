"""La tabla que dice qué estado HTTP es cada error de seedwork."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import seedwork
from seedwork.aplicacion.diferidas import EjecucionesProhibidas, SinEjecutorDiferido
from seedwork.aplicacion.dominio import AgregadoDesconocido
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.sagas.puerto import EventoSinSaga
from seedwork.dominio.excepciones import ExcepcionDominio, NoEncontrado, ReglaIncumplida
from seedwork.infraestructura.base_datos import BaseOcupada, SoloLectura, TransaccionAnidada
from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker
from seedwork.infraestructura.codificacion import MensajeInvalido
from seedwork.infraestructura.esquemas import EsquemaDesconocido
from seedwork.infraestructura.inquilinos import SchemaInexistente, SinInquilino
from seedwork.infraestructura.politica import ErrorPermanente
from seedwork.infraestructura.proyecciones.turno import ErrorReconstruccion
from seedwork.infraestructura.recursos import SinBaseDeDatos
from seedwork.presentacion import problemas

FALLOS_DE_AQUI = {
    AgregadoDesconocido,
    ErrorBroker,
    ErrorDeArranque,
    ErrorPermanente,
    ErrorReconstruccion,
    EsquemaDesconocido,
    EventoSinSaga,
    MensajeInvalido,
    SinBaseDeDatos,
    SinEjecutorDiferido,
    TransaccionAnidada,
}
"""Quien hace la petición no puede hacer nada con ellos: son 500 y quedan registrados."""


def _excepciones() -> Iterator[type[Exception]]:
    for paquete in ("dominio", "aplicacion", "infraestructura", "presentacion"):
        raiz = importlib.import_module(f"seedwork.{paquete}")
        for modulo in pkgutil.walk_packages(raiz.__path__, f"{raiz.__name__}."):
            if "migraciones" not in modulo.name and ".brokers." not in modulo.name:
                for cosa in vars(importlib.import_module(modulo.name)).values():
                    if isinstance(cosa, type) and issubclass(cosa, Exception) and cosa.__module__ == modulo.name:
                        yield cosa


def test_de_cada_excepcion_publica_se_sabe_si_tiene_estado_o_es_un_fallo_de_aqui() -> None:
    conocidas = (*problemas.ESTADOS, *FALLOS_DE_AQUI)
    publicas = [tipo for tipo in _excepciones() if not tipo.__name__.startswith("_")]
    assert SinInquilino in publicas
    assert [tipo for tipo in publicas if not issubclass(tipo, conocidas)] == []


@pytest.fixture
def cliente() -> FlaskClient:
    app = Flask(seedwork.__name__)
    problemas.instalar(app)

    @app.get("/<cual>")
    def lanzar(cual: str) -> Any:
        raise ERRORES[cual]

    return app.test_client()


class Propia(ExcepcionDominio): ...


ERRORES: dict[str, Exception] = {
    "sin-inquilino": SinInquilino("Nadie dijo de qué inquilino"),
    "solo-lectura": SoloLectura("Este sistema es de sólo lectura"),
    "prohibidas": EjecucionesProhibidas("Aquí no"),
    "no-esta": NoEncontrado("No está"),
    "inquilino-ajeno": SchemaInexistente("No hay tal inquilino"),
    "regla": ReglaIncumplida("No se puede"),
    "propia": Propia("Tampoco"),
    "ocupada": BaseOcupada("Ocupada"),
    "broker": BrokerNoDisponible("El broker no responde"),
    "anidada": TransaccionAnidada("un detalle de dentro"),
}


@pytest.mark.parametrize(
    ("cual", "estado"),
    [
        ("sin-inquilino", 400),
        ("solo-lectura", 403),
        ("prohibidas", 403),
        ("no-esta", 404),
        ("inquilino-ajeno", 404),
        ("regla", 422),
        ("propia", 422),
        ("ocupada", 503),
        ("broker", 503),
    ],
)
def test_cada_error_sale_como_problem_json_con_su_estado_y_su_frase(
    cliente: FlaskClient, cual: str, estado: int
) -> None:
    respuesta = cliente.get(f"/{cual}")
    assert (respuesta.status_code, respuesta.content_type) == (estado, "application/problem+json")
    assert respuesta.get_json()["detail"] == str(ERRORES[cual])
    assert respuesta.get_json()["title"] != "Error"
    assert ("Retry-After" in respuesta.headers) is (estado == 503)


def test_un_fallo_de_aqui_es_500_y_no_cuenta_lo_de_dentro(cliente: FlaskClient) -> None:
    respuesta = cliente.get("/anidada")
    assert respuesta.status_code == 500
    assert "un detalle" not in respuesta.get_data(as_text=True)

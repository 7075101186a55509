"""El mandato `seedwork` sobre el servicio de verdad: `--app aeroalpes.composicion:sistema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from tests.integracion.aeroalpes.corredor import publicar
from tests.integracion.aeroalpes.reservas import contar
from tests.integracion.eventos_reserva import crear
from tests.procesos import RAIZ, Aeroalpes, hasta

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from seedwork.infraestructura.codificacion import codificar
from seedwork.presentacion.cli import seedwork

APP = "aeroalpes.composicion:sistema"


@pytest.fixture
def mandar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Corre un mandato con `--json` y da lo que escribió."""
    monkeypatch.setenv("AEROALPES_DATOS", str(tmp_path))

    def mandar(*argumentos: str) -> Any:
        hecho = CliRunner().invoke(seedwork, ["--app", APP, *argumentos, "--json"], catch_exceptions=False)
        assert hecho.exit_code == 0, hecho.output
        return json.loads(hecho.stdout)

    return mandar


def test_se_ven_sus_rutas_su_outbox_y_sus_letras_muertas(mandar: Callable[..., Any]) -> None:
    rutas = mandar("rutas")
    de_vuelos = {fila["suscripcion"] for fila in rutas["consumidores"] if fila["modulo"] == "vuelos"}
    assert {"aeroalpes-sub-comandos", "aeroalpes-sub-eventos"} <= de_vuelos
    assert {"vuelos", "pagos", "gds", "sagas"} <= {fila["modulo"] for fila in rutas["comandos"]}
    assert mandar("outbox", "estado")["pendientes"] == 0
    assert mandar("letras-muertas", "listar") == []


def test_el_trabajador_de_vuelos_atiende_lo_suyo_y_nada_mas(suite: Aeroalpes) -> None:
    mandato = ["-m", "seedwork", "--app", APP, "trabajador", "--modulo", "vuelos"]
    trabajador = suite.python(*mandato, PYTHONPATH=str(RAIZ / "src"))
    trabajador.espera_texto("trabajador.listo")
    id = uuid4()
    publicar(suite.datos, codificar(crear(id), topico=comandos.TOPICO, servicio="ajeno", clave=str(id)))
    hasta(lambda: contar(suite.datos, "vuelos_reservas") == 1, "se reservara")
    assert trabajador.parar() == 0, trabajador.salida
    assert contar(suite.datos, "sagas") == 0

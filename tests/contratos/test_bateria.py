"""La batería es una sola: cada prueba corre en los cinco brokers, y ninguna sabe en cuál está."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.contratos.conftest import COMPARTIDOS

BATERIAS = ("test_broker.py", "test_mensajeria.py")
ESQUEMAS = {"archivo": "embebido", "kafka": "kafka", "pulsar": "pulsar", "rabbitmq": "amqp", "redis": "redis"}
DAN_EL_BROKER = {"banco", "compartido", "servicio"}
SU_NOMBRE = re.compile("embebido|kafka|pulsar|rabbit|amqp|redis", re.IGNORECASE)


@pytest.mark.capacidad("X03")
def test_los_cinco_brokers_corren_la_bateria(tmp_path: Path) -> None:
    assert {nombre: urlsplit(banco(tmp_path).url).scheme for nombre, banco in COMPARTIDOS.items()} == ESQUEMAS


@pytest.mark.capacidad("X03")
@pytest.mark.parametrize("archivo", BATERIAS)
def test_cada_prueba_recibe_su_broker_y_no_hay_excepciones_para_ninguno(archivo: str) -> None:
    fuente = (Path(__file__).parent / archivo).read_text(encoding="utf-8")
    funciones = [n for n in ast.parse(fuente).body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    pruebas = {f.name: {parametro.arg for parametro in f.args.args} for f in funciones if f.name.startswith("test_")}

    assert pruebas
    assert [nombre for nombre, parametros in pruebas.items() if not parametros & DAN_EL_BROKER] == []
    assert SU_NOMBRE.findall(fuente) == []
    assert "skip" not in fuente

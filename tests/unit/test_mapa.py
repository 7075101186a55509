"""El mapa dice la verdad: lo que cada módulo declara que publica es lo que su código pone en el broker."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import aeroalpes.modulos
from aeroalpes.composicion import MODULOS
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.schema.v1.mensajes import MensajeIntegracion
from seedwork.presentacion.mapa import mapa


def _con_esquema() -> dict[type, str]:
    """Cada mensaje que viaja por el broker, y su tópico: las variantes de los registros de cada `schema.vN`."""
    paquetes = pkgutil.walk_packages(aeroalpes.modulos.__path__, "aeroalpes.modulos.")
    contratos = [importlib.import_module(p.name) for p in paquetes if ".infraestructura.schema.v" in p.name]
    return {
        variante: contrato.TOPICO
        for contrato in contratos
        for clase in vars(contrato).values()
        if getattr(clase, "__module__", None) == contrato.__name__ and _es_registro(clase)
        for variante in _variantes(clase)
    }


def _es_registro(clase: Any) -> bool:
    return isinstance(clase, type) and issubclass(clase, MensajeIntegracion)


def _variantes(registro: Any) -> Iterator[type]:
    tipos = typing.get_type_hints(registro)
    for campo in fields(registro):
        yield from (tipo for tipo in typing.get_args(tipos[campo.name]) if is_dataclass(tipo))


def _construye(modulo: Modulo) -> set[tuple[str, str]]:
    """Lo que su infraestructura construye con `esquema.Clase(...)`, salvo al recibir: (módulo de Python, clase)."""
    assert modulo.paquete is not None
    carpeta = Path(importlib.import_module(modulo.paquete).__path__[0], "infraestructura")
    return {
        llamada
        for archivo in carpeta.glob("*.py")
        if archivo.stem != "consumidores"
        for llamada in _llamadas(ast.parse(archivo.read_text()))
    }


def _llamadas(arbol: ast.Module) -> Iterator[tuple[str, str]]:
    alias = {
        nombre.asname or nombre.name: f"{nodo.module}.{nombre.name}"
        for nodo in arbol.body
        if isinstance(nodo, ast.ImportFrom)
        for nombre in nodo.names
    }
    for nodo in ast.walk(arbol):
        match nodo:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=nombre), attr=clase)) if nombre in alias:
                yield alias[nombre], clase


@pytest.mark.capacidad("X11")
@pytest.mark.parametrize("modulo", MODULOS, ids=lambda modulo: modulo.nombre)
def test_un_modulo_declara_lo_que_construye_para_publicar_y_nada_mas(modulo: Modulo) -> None:
    con_esquema, construye = _con_esquema(), _construye(modulo)
    publica = {
        mensaje: topico
        for mensaje, topico in con_esquema.items()
        if (mensaje.__module__, mensaje.__name__) in construye
    }
    declara = {mensaje: topico for topico, mensajes in modulo.publica.items() for mensaje in mensajes}
    assert declara == publica


def test_solo_habla_en_el_mapa_quien_publica_o_atiende() -> None:
    callado = Modulo(nombre="callado")
    assert mapa([callado], "s") == []
    de_vuelos = next(contexto for contexto in mapa(MODULOS, "aeroalpes") if contexto["contexto"] == "vuelos")
    assert {"topico": "comandos-reserva", "mensajes": ["CrearReserva"]} in de_vuelos["publica"]
    assert {"topico": "eventos-pago", "suscripcion": "aeroalpes-sub-eventos"} in de_vuelos["atiende"]

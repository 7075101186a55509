"""`seedwork rutas`: quién publica, quién atiende qué, y con qué política."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from seedwork.aplicacion.firmas import nombre_de
from seedwork.infraestructura.declaracion import Consumidor, Ruta, con_suscripcion
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.politica import Reintentos
from seedwork.presentacion.cli.carga import con_mensajeria
from seedwork.presentacion.cli.grupo import Mandato
from seedwork.presentacion.cli.salida import escribir_json, escribir_tabla, opcion_json
from seedwork.presentacion.mapa import mapa


@click.command(cls=Mandato)
@opcion_json
@con_mensajeria
def rutas(mensajeria: Mensajeria, en_json: bool) -> None:
    """Enseña quién publica y quién atiende qué: tópicos, casos de uso, suscripciones y reintentos."""
    descritas = describir(mensajeria)
    if en_json:
        escribir_json(descritas)
        return
    for titulo, filas in descritas.items():
        columnas = list(filas[0]) if filas else []
        escribir_tabla(titulo, columnas, [[_celda(valor) for valor in fila.values()] for fila in filas])


def describir(mensajeria: Mensajeria) -> dict[str, list[dict[str, Any]]]:
    """Las rutas por clase: consumidores, acciones que publican, lo que atiende cada módulo, y el mapa de todos."""
    modulos = () if mensajeria.bus is None else mensajeria.bus.modulos
    dueno = {
        con_suscripcion(consumidor, mensajeria.servicio).suscripcion: modulo.nombre
        for modulo in modulos
        for consumidor in modulo.consumidores
    }
    return {
        "consumidores": [
            _consumidor(consumidor, dueno.get(consumidor.suscripcion)) for consumidor in mensajeria.consumidores
        ],
        "publica": [
            {
                "evento": accion.evento,
                "topico": accion.topico or mensajeria.topico or accion.evento,
                "clave": accion.campo_clave,
                "funcion": nombre_de(accion.funcion),
            }
            for accion in mensajeria.acciones
        ],
        **{
            tabla: [fila for modulo in modulos for fila in _handlers(modulo.nombre, getattr(modulo, tabla))]
            for tabla in ("comandos", "queries", "eventos")
        },
        "contextos": mapa(modulos, mensajeria.servicio),
    }


def _consumidor(consumidor: Consumidor, modulo: str | None) -> dict[str, Any]:
    return {
        "suscripcion": consumidor.suscripcion,
        "caso_de_uso": consumidor.nombre,
        "modulo": modulo,
        "topicos": consumidor.topicos,
        "atiende": [_ruta(ruta) for ruta in consumidor.rutas],
        "reintentos": consumidor.reintentos,
        "orden": consumidor.orden,
        "concurrencia": consumidor.concurrencia,
        "auto_start": consumidor.auto_start,
    }


def _ruta(ruta: Ruta) -> dict[str, Any]:
    mensaje = ruta.firma.mensaje
    return {
        "eventos": ruta.nombres,
        "mensaje": nombre_de(mensaje) if isinstance(mensaje, type) else str(mensaje),
        "funcion": nombre_de(ruta.funcion),
    }


def _handlers(modulo: str, tabla: Mapping[type, Any]) -> Iterator[dict[str, Any]]:
    for tipo, handlers in tabla.items():
        varios = handlers if isinstance(handlers, list | tuple) else [handlers]
        yield {"modulo": modulo, "mensaje": nombre_de(tipo), "handlers": [nombre_de(uno) for uno in varios]}


def _celda(valor: Any) -> str:
    if isinstance(valor, Reintentos):
        veces = "sin límite" if valor.maximo is None else valor.maximo
        return f"{veces} cada {valor.espera_s:g} s" + ("" if valor.factor == 1 else f" x{valor.factor:g}")
    if isinstance(valor, bool):
        return "sí" if valor else "no"
    if isinstance(valor, list | tuple):
        return "\n".join(_celda(uno) for uno in valor)
    if isinstance(valor, dict) and "topico" in valor:
        return f"{valor['topico']}: {valor.get('suscripcion') or ', '.join(valor['mensajes'])}"
    if isinstance(valor, dict):
        return f"{', '.join(valor['eventos']) or 'todo'} -> {valor['funcion']}({valor['mensaje'].rpartition('.')[2]})"
    return "" if valor is None else str(valor)

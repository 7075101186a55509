"""Cuerpos de reserva, y cómo se miran las que hay."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

RUTAS_POST = ("/vuelos/reserva", "/vuelos/reserva-comando")


def leg(**cambios: Any) -> dict[str, Any]:
    return {
        "fecha_salida": "2022-11-22T13:10:00Z",
        "fecha_llegada": "2022-11-22T15:10:00Z",
        "destino": {"codigo": "JFK", "nombre": "John F. Kennedy International Airport"},
        "origen": {"codigo": "BOG", "nombre": "El Dorado - Bogotá International Airport (BOG)"},
        **cambios,
    }


def itinerario(*legs: dict[str, Any]) -> dict[str, Any]:
    return {"odos": [{"segmentos": [{"legs": list(legs)}]}]}


def cuerpo(**cambios: Any) -> dict[str, Any]:
    return {"itinerarios": [itinerario(leg())], **cambios}


def es_problema(respuesta: httpx.Response, estado: int) -> dict[str, Any]:
    """Comprueba que es problem+json (RFC 9457) con ese estado, y lo devuelve."""
    assert respuesta.status_code == estado, respuesta.text
    assert respuesta.headers["content-type"] == "application/problem+json"
    problema: dict[str, Any] = respuesta.json()
    assert problema["status"] == estado
    assert problema.keys() >= {"type", "title", "detail"}
    assert problema["detail"]
    return problema


def todas(http: httpx.Client) -> list[dict[str, Any]]:
    """Todas las reservas, página a página."""
    reservas: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        pagina = http.get("/vuelos/reserva-query", params={"limite": 100, **({"cursor": cursor} if cursor else {})})
        assert pagina.status_code == 200, pagina.text
        reservas += pagina.json()["reservas"]
        cursor = pagina.json()["siguiente"]
    return reservas


def contar(datos: Path, tabla: str) -> int:
    """Cuántas filas hay en una tabla de la base del servicio."""
    with closing(sqlite3.connect(datos / "aeroalpes.db", timeout=10)) as db:
        return int(db.execute(f"SELECT count(*) FROM {tabla}").fetchone()[0])  # noqa: S608 - tablas de la prueba


def guardado(datos: Path) -> tuple[int, int, int]:
    """Lo que una petición puede dejar guardado: reservas, mensajes por salir y claves vistas."""
    return contar(datos, "vuelos_reservas"), contar(datos, "outbox"), contar(datos, "inbox")

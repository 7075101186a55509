"""Idempotency-Key: la misma petición, repetida cuantas veces sea, se hace una sola vez."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.integracion.aeroalpes.reservas import RUTAS_POST, cuerpo, es_problema, guardado

Quieta = tuple[httpx.Client, Path]


def _clave() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


@pytest.mark.capacidad("X13")
@pytest.mark.parametrize("ruta", RUTAS_POST)
def test_la_misma_clave_es_la_misma_reserva(quieta: Quieta, ruta: str) -> None:
    http, datos = quieta
    clave = _clave()
    primera = http.post(ruta, json=cuerpo(), headers=clave)
    antes = guardado(datos)
    segunda = http.post(ruta, json=cuerpo(), headers=clave)
    assert (segunda.status_code, segunda.json()) == (primera.status_code, primera.json())
    assert segunda.headers.get("location") == primera.headers.get("location")
    assert guardado(datos) == antes


@pytest.mark.capacidad("X13")
@pytest.mark.parametrize("ruta", RUTAS_POST)
def test_dieciseis_a_la_vez_con_la_misma_clave_hacen_una_reserva(quieta: Quieta, ruta: str) -> None:
    http, datos = quieta
    clave, antes = _clave(), guardado(datos)
    with ThreadPoolExecutor(16) as hilos:
        respuestas = list(hilos.map(lambda _: http.post(ruta, json=cuerpo(), headers=clave), range(16)))
    assert {respuesta.status_code for respuesta in respuestas} <= {200, 202}
    assert len({respuesta.json()["id"] for respuesta in respuestas}) == 1
    una = 1 if ruta == "/vuelos/reserva" else 0
    assert guardado(datos) == (antes[0] + una, antes[1] + 1, antes[2] + 1)


@pytest.mark.capacidad("X13")
@pytest.mark.parametrize("ruta", RUTAS_POST)
def test_la_misma_clave_con_otro_cuerpo_es_422_y_no_deja_nada(quieta: Quieta, ruta: str) -> None:
    http, datos = quieta
    clave = _clave()
    http.post(ruta, json=cuerpo(), headers=clave)
    antes = guardado(datos)
    problema = es_problema(http.post(ruta, json=cuerpo(pasajeros=[{"tipo": "ADULTO"}]), headers=clave), 422)
    assert clave["Idempotency-Key"] in problema["detail"]
    assert guardado(datos) == antes


def test_una_clave_gastada_en_una_peticion_rechazada_sigue_sirviendo(quieta: Quieta) -> None:
    http, _ = quieta
    clave = _clave()
    es_problema(http.post("/vuelos/reserva", json={"itinerarios": []}, headers=clave), 422)
    assert http.post("/vuelos/reserva", json=cuerpo(), headers=clave).status_code == 200


def test_la_misma_clave_en_las_dos_direcciones_son_dos_peticiones(quieta: Quieta) -> None:
    http, _ = quieta
    clave = _clave()
    ids = {http.post(ruta, json=cuerpo(), headers=clave).json()["id"] for ruta in RUTAS_POST}
    assert len(ids) == 2


@pytest.mark.parametrize("ruta", RUTAS_POST)
@pytest.mark.parametrize("clave", [b"", b"con espacio", b"x" * 256, "ñ".encode(), b"\x80\xff", b"a\tb"])
def test_una_clave_que_no_lo_es_es_400(quieta: Quieta, ruta: str, clave: bytes) -> None:
    http, datos = quieta
    antes = guardado(datos)
    es_problema(http.post(ruta, json=cuerpo(), headers={b"Idempotency-Key": clave}), 400)
    assert guardado(datos) == antes

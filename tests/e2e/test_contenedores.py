"""`docker-compose up` de verdad, sobre Pulsar y PostgreSQL: reservar, escalar, matar y parar."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from tests.e2e.contenedores import IMAGENES, PLAZO_S, SERVICIOS, Contenedores, en_contenedores
from tests.e2e.suite import reserva_nueva
from tests.integracion.espectador import mirando
from tests.integracion.test_viaje_caidas import reservar

from seedwork.infraestructura.publicados import registros_de, revisiones_por_topico

PROPIOS = ("api", "trabajador", "sidecar", "notificaciones", "ui")
RESERVAS = 30
PAUSA_S = 3.0  # entre reservas: todos sus eventos deben caber en la ventana de la página
PARADA_S = 60.0
SIGTERM = 128 + 15  # como acaba la máquina virtual de Java cuando se le pide


@pytest.fixture(scope="module")
def contenedores() -> Iterator[Contenedores]:
    with en_contenedores() as contenedores:
        contenedores.orden("up", "-d")
        contenedores.esperar_sanos(*SERVICIOS)
        contenedores.esperar_hechos("esquemas")
        yield contenedores


def _correos(contenedores: Contenedores) -> list[str]:
    """El id del evento que cuenta cada correo del buzón."""
    return [nombre.removesuffix(".eml") for nombre in contenedores.dentro("notificaciones", "ls", "var/buzon").split()]


def _parados(contenedores: Contenedores, *servicios: str) -> dict[str, int]:
    """De los contenedores de esos servicios, todos parados, los que no acabaron con 0."""
    estados = [(servicio, uno["State"]) for servicio in servicios for uno in contenedores.de(servicio)]
    assert not [servicio for servicio, estado in estados if estado["Running"]]
    mal = {servicio: estado["ExitCode"] for servicio, estado in estados if estado["ExitCode"]}
    for servicio in mal:
        sys.stdout.write(contenedores.orden("logs", "--tail=60", servicio))  # pytest lo enseña si la prueba falla
    return mal


def _registrados(contenedores: Contenedores, topicos: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Las revisiones que tiene Pulsar de cada tópico, de la más vieja a la más nueva."""
    ruta = "http://localhost:8080/admin/v2/schemas/public/default/{}/schemas"
    respuestas = {t: json.loads(contenedores.dentro("pulsar", "curl", "-fsS", ruta.format(t))) for t in topicos}
    return {t: [json.loads(uno["data"]) for uno in r["getSchemaResponses"]] for t, r in respuestas.items()}


@pytest.mark.capacidad("A12")
async def test_una_reserva_hecha_en_el_api_se_ve_en_la_pagina_y_deja_su_correo(contenedores: Contenedores) -> None:
    async with mirando(contenedores.ui) as ana, httpx.AsyncClient(base_url=contenedores.api, trust_env=False) as http:
        respuesta = await http.post("/vuelos/reserva", json=reserva_nueva(), timeout=30)
        assert respuesta.status_code == 200, respuesta.text
        id_reserva = respuesta.json()["id"]
        await ana.hasta(lambda: id_reserva in ana.de("correo.enviado"), "se viera su correo", PLAZO_S)
    (creada,) = [evento for evento in ana.eventos if evento["type"] == "ReservaCreada"]
    assert creada["subject"] == id_reserva
    assert creada["id"] in _correos(contenedores)
    assert id_reserva in contenedores.dentro("notificaciones", "cat", f"var/buzon/{creada['id']}.eml")


@pytest.mark.capacidad("A12")
def test_los_esquemas_quedan_registrados_en_pulsar_y_registrarlos_otra_vez_no_cambia_nada(
    contenedores: Contenedores,
) -> None:
    topicos = revisiones_por_topico(registros_de(["aeroalpes"]))
    assert _registrados(contenedores, topicos) == topicos
    contenedores.orden("restart", "esquemas")
    contenedores.esperar_hechos("esquemas")
    assert _registrados(contenedores, topicos) == topicos


@pytest.mark.capacidad("A12")
def test_el_cliente_grpc_reserva_y_consulta_por_el_sidecar(contenedores: Contenedores) -> None:
    assert "Reserva consultada" in contenedores.dentro("sidecar", "python", "src/sidecar/cliente.py")


@pytest.mark.capacidad("A12")
def test_ninguna_imagen_propia_corre_como_root_ni_trae_lo_que_no_usa(contenedores: Contenedores) -> None:
    for imagen in IMAGENES.values():
        assert contenedores.imagen(imagen)["Config"]["User"] not in ("", "0", "root"), imagen
    for servicio in PROPIOS:
        assert contenedores.dentro(servicio, "id", "-u").strip() == "10001", servicio
        instalado = contenedores.dentro(servicio, "python", "-m", "pip", "list")
        assert "pytest" not in instalado, servicio
        assert "grpcio-tools" not in instalado, servicio
        assert not contenedores.dentro(servicio, "find", "/app", "-name", ".env", "-o", "-name", "tests"), servicio
    assert "seedwork" not in contenedores.dentro("sidecar", "ls", "src")


def test_la_clave_de_la_base_no_esta_en_ningun_archivo_ni_variable(contenedores: Contenedores) -> None:
    clave = contenedores.dentro("postgres", "cut", "-d:", "-f5", "/clave/pgpass").strip()
    assert len(clave) == 48
    for servicio in SERVICIOS:
        for contenedor in contenedores.de(servicio):
            assert clave not in str(contenedor["Config"]), servicio


@pytest.mark.capacidad("A12")
async def test_con_tres_trabajadores_cada_comando_crea_una_reserva(contenedores: Contenedores) -> None:
    orden = asyncio.to_thread(contenedores.orden, "up", "-d", "--no-recreate", "--scale", "trabajador=3")
    await orden
    await asyncio.to_thread(contenedores.esperar_sanos, "trabajador")
    assert len(contenedores.de("trabajador")) == 3
    async with mirando(contenedores.ui) as ana, httpx.AsyncClient(base_url=contenedores.api, trust_env=False) as http:
        aceptadas = await asyncio.gather(*[reservar(http) for _ in range(RESERVAS)])
        await ana.hasta(lambda: set(aceptadas) <= set(ana.de("correo.enviado")), "llegaran sus correos", PLAZO_S)
    assert Counter(ana.de("ReservaCreada")) == Counter(aceptadas)


@pytest.mark.capacidad("A12")
async def test_muera_quien_muera_vuelve_solo_y_cada_reserva_aceptada_queda_una_vez(contenedores: Contenedores) -> None:
    aceptadas: list[str] = []
    seguir = True

    async def reservar_sin_parar(http: httpx.AsyncClient) -> None:
        while seguir:
            aceptadas.append(await reservar(http))
            await asyncio.sleep(PAUSA_S)

    async with httpx.AsyncClient(base_url=contenedores.api, trust_env=False, timeout=30) as http:
        reservas = asyncio.create_task(reservar_sin_parar(http))
        for servicio in SERVICIOS:
            await asyncio.to_thread(contenedores.matar, servicio)
            await asyncio.to_thread(contenedores.esperar_sanos, servicio)
        seguir = False
        await reservas
        # Todo lo de la última hora, que la página recién vuelta relee del broker.
        async with mirando(contenedores.ui, "") as ana:
            await ana.hasta(lambda: set(aceptadas) <= set(ana.de("correo.enviado")), "se recuperara todo", PLAZO_S)
    assert len(set(aceptadas)) == len(aceptadas) >= len(SERVICIOS)
    assert ana.repetidos == []
    creadas = {evento["id"]: evento["subject"] for evento in ana.eventos if evento["type"] == "ReservaCreada"}
    assert Counter(subject for subject in creadas.values() if subject in aceptadas) == Counter(aceptadas)
    assert set(creadas) <= set(_correos(contenedores))


@pytest.mark.capacidad("A12")
def test_stop_para_todo_en_segundos_y_up_lo_devuelve_con_sus_reservas(contenedores: Contenedores) -> None:
    hecha = httpx.post(f"{contenedores.api}/vuelos/reserva", json=reserva_nueva(), trust_env=False, timeout=30)
    assert hecha.status_code == 200, hecha.text
    inicio = time.monotonic()
    contenedores.orden("stop")
    assert time.monotonic() - inicio < PARADA_S
    assert _parados(contenedores, *SERVICIOS) == {"pulsar": SIGTERM}
    # Parar a quien aún está arrancando tampoco hace esperar.
    contenedores.orden("up", "-d", "postgres", "pulsar")  # sin su base, acabar con 1 es lo suyo
    contenedores.esperar_sanos("postgres", "pulsar")
    contenedores.orden("start", *PROPIOS)
    inicio = time.monotonic()
    contenedores.orden("stop", *PROPIOS)
    assert time.monotonic() - inicio < PARADA_S
    assert _parados(contenedores, *PROPIOS) == {}
    contenedores.orden("up", "-d")
    contenedores.esperar_sanos(*SERVICIOS)
    id_reserva = hecha.json()["id"]
    leida = httpx.get(f"{contenedores.api}/vuelos/reserva/{id_reserva}", trust_env=False, timeout=30)
    assert leida.json()["id"] == id_reserva

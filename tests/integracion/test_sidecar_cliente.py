"""El programa `cliente.py` contra un sidecar de verdad."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.integracion.sidecar_apoyo import ApiFalso, Proceso, api_falso, cortar, ejecutar, problema, sidecar

CLIENTE = "src/sidecar/cliente.py"


@pytest.fixture
async def api() -> AsyncIterator[ApiFalso]:
    async with api_falso() as falso:
        yield falso


@pytest.fixture
async def marcha(api: ApiFalso) -> AsyncIterator[Proceso]:
    async with sidecar(api.puerto) as proceso:
        yield proceso


async def test_crea_la_reserva_de_ejemplo_la_muestra_y_la_consulta(api: ApiFalso, marcha: Proceso) -> None:
    puerto = marcha.direccion.rpartition(":")[2]

    codigo, salida, errores = await ejecutar(CLIENTE, SIDECAR_PUERTO=puerto)

    (id_reserva,) = api.reservas
    assert (codigo, errores) == (0, "")
    assert [p.metodo for p in api.peticiones] == ["POST", "GET"]
    assert salida.count(id_reserva) == 2
    assert salida.count("PENDIENTE") == 2
    trayecto = "BOG El Dorado - Bogotá International Airport (BOG) → JFK John F. Kennedy International Airport"
    assert f"{trayecto}: sale 2022-11-22 13:10 UTC, llega 2022-11-22 15:10 UTC" in salida


async def test_acepta_otro_archivo_y_otra_direccion(api: ApiFalso, marcha: Proceso, tmp_path: Path) -> None:
    archivo = tmp_path / "otra.json"
    archivo.write_text('{"id_cliente": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "itinerarios": []}', "utf-8")

    codigo, salida, _ = await ejecutar(CLIENTE, str(archivo), "--direccion", marcha.direccion)

    assert codigo == 0
    assert api.peticiones[0].cuerpo == {"id_cliente": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "itinerarios": []}
    assert "7c9e6679-7425-40de-944b-e07fc1f90ae7" in salida


async def test_un_rechazo_sale_en_una_frase_y_con_codigo_uno(api: ApiFalso, marcha: Proceso) -> None:
    async def rechazar(request: web.Request) -> web.Response:
        return problema(422, "El destino debe ser distinto del origen")

    api.conducta = rechazar

    codigo, salida, errores = await ejecutar(CLIENTE, "--direccion", marcha.direccion)

    assert (codigo, salida) == (1, "")
    assert "INVALID_ARGUMENT: El destino debe ser distinto del origen" in errores
    assert len(errores.splitlines()) == 1


async def test_el_api_caido_sale_en_una_frase_y_con_codigo_uno(api: ApiFalso, marcha: Proceso) -> None:
    api.conducta = cortar

    codigo, _, errores = await ejecutar(CLIENTE, "--direccion", marcha.direccion)

    assert codigo == 1
    assert f"http://127.0.0.1:{api.puerto} no está disponible" in errores
    assert len(errores.splitlines()) == 1


async def test_una_reserva_que_no_se_puede_consultar_es_codigo_uno(api: ApiFalso, marcha: Proceso) -> None:
    async def olvidar(request: web.Request) -> web.StreamResponse:
        respuesta = await api.reservar(request)
        api.reservas.clear()
        return respuesta

    api.conducta = olvidar

    codigo, salida, errores = await ejecutar(CLIENTE, "--direccion", marcha.direccion)

    assert codigo == 1
    assert "Reserva creada" in salida
    assert "NOT_FOUND: No hay una reserva con ese id" in errores


async def test_sin_sidecar_lo_dice_en_una_frase_y_con_codigo_uno() -> None:
    codigo, _, errores = await ejecutar(CLIENTE, "--direccion", "127.0.0.1:1", "--plazo-s", "0.5")

    assert codigo == 1
    assert "No hay un sidecar en 127.0.0.1:1" in errores
    assert len(errores.splitlines()) == 1


@pytest.mark.parametrize(
    "contenido",
    [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"itinerario": []}', b'{"id_cliente": 3}'],
)
async def test_un_archivo_que_no_es_una_reserva_se_explica_en_una_frase(contenido: bytes, tmp_path: Path) -> None:
    archivo = tmp_path / "rara.json"
    archivo.write_bytes(contenido)

    codigo, _, errores = await ejecutar(CLIENTE, str(archivo))

    assert codigo == 1
    assert f"{archivo} no contiene una reserva" in errores
    assert len(errores.splitlines()) == 1


async def test_un_archivo_que_no_esta_se_nombra(tmp_path: Path) -> None:
    codigo, _, errores = await ejecutar(CLIENTE, str(tmp_path / "nada.json"))

    assert codigo == 1
    assert "nada.json" in errores
    assert len(errores.splitlines()) == 1

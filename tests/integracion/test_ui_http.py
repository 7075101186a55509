"""La parte HTTP del proceso ui: la página, su estado y el paso hacia el API."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from tests.unit.ui.falsos import MAPA, ApiFalsa, FuenteFalsa, configuracion, evento, hasta, letra_muerta, sirviendo
from yarl import URL

from ui.mapa import VECINOS
from ui.servidor import ESTATICO, crear_app

CUERPO = {"itinerarios": [{"odos": []}]}


@asynccontextmanager
async def _cliente(fuente: FuenteFalsa | None = None, api: str | None = None, **valores: Any) -> AsyncIterator[Any]:
    if api is not None:
        valores |= {"aeroalpes_address": "127.0.0.1", "aeroalpes_puerto": URL(api).port}
    app = crear_app(fuente or FuenteFalsa(), configuracion(**valores))
    async with sirviendo(app) as url, aiohttp.ClientSession(url) as sesion:
        yield sesion


async def _problema(respuesta: aiohttp.ClientResponse, estado: int) -> str:
    assert respuesta.status == estado
    assert respuesta.content_type == "application/problem+json"
    cuerpo = await respuesta.json()
    assert cuerpo["status"] == estado
    assert cuerpo["title"]
    return str(cuerpo["detail"])


async def test_la_pagina_y_sus_archivos_llevan_su_tipo_y_las_cabeceras_de_seguridad() -> None:
    tipos = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
    async with _cliente() as sesion:
        for ruta in ("/", *(f"/estatico/{archivo.name}" for archivo in ESTATICO.iterdir())):
            async with sesion.get(ruta) as respuesta:
                assert respuesta.status == 200
                tipo = respuesta.content_type.replace("application/javascript", "text/javascript")
                assert tipo == tipos["." + ruta.rpartition(".")[2] if "." in ruta else ".html"]
                assert "default-src 'self'" in respuesta.headers["Content-Security-Policy"]
                assert respuesta.headers["X-Content-Type-Options"] == "nosniff"


async def test_no_se_alcanza_ningun_archivo_fuera_de_lo_estatico() -> None:
    async with _cliente() as sesion:
        for ruta in ("/estatico/", "/estatico/../servidor.py", "/estatico/%2e%2e/servidor.py", "/servidor.py"):
            async with sesion.get(URL(ruta, encoded=True)) as respuesta:
                assert respuesta.status in (403, 404)


def test_la_pagina_no_pide_nada_a_otro_sitio() -> None:
    for archivo in ESTATICO.iterdir():
        direcciones = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", archivo.read_text()))
        assert direcciones <= {"http://www.w3.org/2000/svg"}, archivo.name


async def test_el_estado_dice_la_ventana_y_que_la_fuente_esta_caida_y_por_que() -> None:
    fuente = FuenteFalsa()
    async with _cliente(fuente) as sesion:

        async def cuando_conteste(estado: int) -> dict[str, Any]:
            async with asyncio.timeout(5):
                while True:
                    async with sesion.get("/readyz") as respuesta:
                        if respuesta.status == estado:
                            return dict(await respuesta.json())
                    await asyncio.sleep(0.02)

        fuente.emitir(evento())
        assert (await cuando_conteste(200))["fuente"] == "leyendo"
        fuente.averiar(ConnectionError("el broker no responde"))
        cuerpo = await cuando_conteste(503)
        assert cuerpo["fuente"] == "la fuente de eventos falló: el broker no responde"
        assert cuerpo["ventana"] == {"eventos": 1, "maximo": 1000}
        for ruta in ("/health", "/livez"):
            async with sesion.get(ruta) as respuesta:
                assert respuesta.status == 200
                assert await respuesta.json() == {"status": "up"}
                assert respuesta.headers["Ventana-Eventos"] == "1000"


async def test_un_post_pasa_al_api_con_su_clave_y_su_traza_y_vuelve_con_su_estado() -> None:
    api = ApiFalsa(FuenteFalsa())
    cabeceras = {"Idempotency-Key": "k-1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "Cookie": "secreta=1"}
    async with sirviendo(api.app()) as url_api, _cliente(api=url_api) as sesion:
        ids = set()
        for _ in range(2):
            async with sesion.post("/api/vuelos/reserva-comando", json=CUERPO, headers=cabeceras) as respuesta:
                assert respuesta.status == 202
                ids.add((await respuesta.json())["id"])
                assert respuesta.headers["Location"] == f"/api/vuelos/reserva-query/{next(iter(ids))}"
                assert "X-Interna" not in respuesta.headers
    assert len(ids) == len(api.reservas) == 1
    _, _, recibidas = api.peticiones[0]
    assert recibidas["Idempotency-Key"] == "k-1"
    assert recibidas["traceparent"] == cabeceras["traceparent"]
    assert "Cookie" not in recibidas


async def test_los_get_de_la_lista_pasan_con_su_consulta() -> None:
    api = ApiFalsa(FuenteFalsa())
    ids = [api.crear([]) for _ in range(3)][::-1]
    async with (
        sirviendo(api.app()) as url_api,
        _cliente(api=url_api) as sesion,
        sesion.get("/api/vuelos/reserva?limite=2&cursor=1") as respuesta,
    ):
        pagina = await respuesta.json()
        assert [reserva["id"] for reserva in pagina["reservas"]] == ids[1:]
        assert pagina["siguiente"] is None
        for vista in ("reserva", "reserva-query"):
            async with sesion.get(f"/api/vuelos/{vista}/{ids[0]}") as respuesta:
                assert (await respuesta.json())["id"] == ids[0]
        async with sesion.get(f"/api/vuelos/reserva/{uuid4()}") as respuesta:
            assert await _problema(respuesta, 404) == "No hay tal reserva"


async def test_el_problema_del_api_vuelve_tal_cual() -> None:
    api = ApiFalsa(FuenteFalsa())
    api.problema = {
        "type": "urn:regla",
        "title": "Regla",
        "status": 422,
        "detail": "Origen y destino iguales",
        "x": [1],
    }
    async with (
        sirviendo(api.app()) as url_api,
        _cliente(api=url_api) as sesion,
        sesion.post("/api/vuelos/reserva-comando", json=CUERPO) as respuesta,
    ):
        assert respuesta.status == 422
        assert await respuesta.json() == api.problema


@pytest.mark.parametrize(
    ("metodo", "ruta", "estado"),
    [
        ("GET", "/api/", 404),
        ("GET", "/api/health", 404),
        ("GET", "/api/vuelos/reserva/a/b", 404),
        ("GET", "/api/vuelos/reserva/..%2f..%2fmetrics", 404),
        ("GET", "/api/vuelos/reserva/%2e%2e", 404),
        ("POST", "/api/vuelos/reserva-query", 405),
        ("DELETE", "/api/vuelos/reserva", 405),
        ("PUT", "/api/vuelos/reserva-comando", 405),
        ("DELETE", "/api/letras-muertas/", 405),
        ("DELETE", "/api/letras-muertas/..%2f..%2fclientes", 404),
        ("DELETE", "/api/letras-muertas/%2e%2e", 404),
        ("POST", "/api/letras-muertas/a%2Fb/reenviar", 404),
        ("GET", "/api/sagas/", 404),
    ],
)
async def test_lo_que_no_esta_en_la_lista_no_llega_al_api(metodo: str, ruta: str, estado: int) -> None:
    api = ApiFalsa(FuenteFalsa())
    async with (
        sirviendo(api.app()) as url_api,
        _cliente(api=url_api) as sesion,
        sesion.request(metodo, URL(ruta, encoded=True)) as respuesta,
    ):
        await _problema(respuesta, estado)
    assert api.peticiones == []


@pytest.mark.parametrize(
    ("metodo", "ruta"),
    [
        ("POST", "/api/vuelos/reserva-comando"),
        ("POST", "/api/letras-muertas/7/reenviar"),
        ("DELETE", "/api/letras-muertas/7"),
    ],
)
async def test_lo_que_tiene_efecto_no_llega_al_api_desde_una_pagina_ajena(metodo: str, ruta: str) -> None:
    api = ApiFalsa(FuenteFalsa(), letras=[letra_muerta("7")])
    async with sirviendo(api.app()) as url_api, _cliente(api=url_api) as sesion:
        cabeceras = {"Origin": "http://malo.example"}
        async with sesion.request(metodo, ruta, json=CUERPO, headers=cabeceras) as respuesta:
            await _problema(respuesta, 403)
    assert api.peticiones == []
    assert len(api.letras) == 1


async def test_las_letras_muertas_se_listan_se_ven_y_se_deciden_por_la_pasarela() -> None:
    id = "aeroalpes-pagos-comandos:0f3a"  # así son en RabbitMQ
    api = ApiFalsa(FuenteFalsa(), letras=[letra_muerta(id), letra_muerta("2")])
    async with sirviendo(api.app()) as url_api, _cliente(api=url_api) as sesion:
        async with sesion.get("/api/letras-muertas/?maximo=100") as respuesta:
            assert [letra["id"] for letra in (await respuesta.json())["letras"]] == [id, "2"]
        async with sesion.get(f"/api/letras-muertas/{id}") as respuesta:
            assert (await respuesta.json())["cuerpo_base64"] == "/wA="
        async with sesion.post(f"/api/letras-muertas/{id}/reenviar") as respuesta:
            assert respuesta.status == 204
        async with sesion.delete("/api/letras-muertas/2") as respuesta:
            assert respuesta.status == 204
    assert api.letras == []


async def test_el_mapa_lleva_tambien_a_los_servicios_que_el_api_no_conoce() -> None:
    api = ApiFalsa(FuenteFalsa())
    async with (
        sirviendo(api.app()) as url_api,
        _cliente(api=url_api) as sesion,
        sesion.get("/api/mapa") as respuesta,
    ):
        contextos = (await respuesta.json())["contextos"]
        assert contextos == [*MAPA, *VECINOS]


async def test_con_el_api_caida_el_mapa_es_su_mismo_problema() -> None:
    async with _cliente(api="http://127.0.0.1:9") as sesion, sesion.get("/api/mapa") as respuesta:
        await _problema(respuesta, 503)


async def test_un_cuerpo_desmedido_se_rechaza_sin_molestar_al_api() -> None:
    api = ApiFalsa(FuenteFalsa())
    async with (
        sirviendo(api.app()) as url_api,
        _cliente(api=url_api) as sesion,
        sesion.post("/api/vuelos/reserva-comando", data=io.BytesIO(b"x" * 5_000_000)) as respuesta,
    ):
        await _problema(respuesta, 413)
    assert api.peticiones == []


async def test_el_api_caida_es_un_503_que_dice_donde_se_la_busco() -> None:
    async with (
        _cliente(api="http://127.0.0.1:9") as sesion,
        sesion.post("/api/vuelos/reserva-comando", json=CUERPO) as respuesta,
    ):
        assert "127.0.0.1:9" in await _problema(respuesta, 503)


async def test_el_api_que_no_contesta_es_un_504() -> None:
    api = ApiFalsa(FuenteFalsa(), demora_s=30)
    async with (
        sirviendo(api.app()) as url_api,
        _cliente(api=url_api, ui_espera_api_s=0.2) as sesion,
        sesion.get("/api/vuelos/reserva") as respuesta,
    ):
        assert "0.2 s" in await _problema(respuesta, 504)


async def test_el_api_que_corta_a_media_respuesta_es_un_502() -> None:
    async def cortar(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
        await lector.readuntil(b"\r\n\r\n")
        escritor.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"id":')
        escritor.close()

    async with await asyncio.start_server(cortar, "127.0.0.1", 0) as servidor:
        puerto = servidor.sockets[0].getsockname()[1]
        url_api = f"http://127.0.0.1:{puerto}"
        async with _cliente(api=url_api) as sesion, sesion.get("/api/vuelos/reserva") as respuesta:
            await _problema(respuesta, 502)


async def test_una_respuesta_desmedida_del_api_es_un_502() -> None:
    async def enorme(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 9_000_000)

    app = web.Application()
    app.router.add_get("/vuelos/reserva", enorme)
    async with (
        sirviendo(app) as url_api,
        _cliente(api=url_api) as sesion,
        sesion.get("/api/vuelos/reserva") as respuesta,
    ):
        assert "8388608" in await _problema(respuesta, 502)


async def test_la_pagina_recibe_por_el_websocket_lo_que_reservo_por_la_pasarela() -> None:
    fuente = FuenteFalsa()
    api = ApiFalsa(fuente)
    async with (
        sirviendo(api.app()) as url_api,
        _cliente(fuente, url_api) as sesion,
        sesion.ws_connect("/ws?desde=") as ws,
    ):
        async with sesion.post("/api/vuelos/reserva-comando", json=CUERPO) as respuesta:
            id_reserva = (await respuesta.json())["id"]
        trama = json.loads(await ws.receive_str(timeout=5))
        assert (trama["type"], trama["subject"]) == ("ReservaCreada", id_reserva)
        await hasta(lambda: api.reservas)

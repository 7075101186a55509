"""El websocket de la página con clientes de verdad en loopback."""

import asyncio
import contextlib
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from tests.unit.ui.falsos import Evento, FuenteFalsa, configuracion, evento, hasta, sirviendo
from yarl import URL

from ui.canal import RECEPCION_MAXIMA_BYTES, Canal
from ui.difusion import Difusion
from ui.servidor import crear_app


class Escenario:
    """Un servidor con su fuente y un cliente HTTP."""

    def __init__(self, url: str, fuente: FuenteFalsa, sesion: aiohttp.ClientSession, canal: Canal) -> None:
        self.url, self.fuente, self.sesion, self.canal = url, fuente, sesion, canal

    @asynccontextmanager
    async def cliente(self, desde: str | None = None, **opciones: Any) -> AsyncIterator[ClientWebSocketResponse]:
        url = URL(self.url) / "ws"
        url = url if desde is None else url.with_query(desde=desde)
        async with self.sesion.ws_connect(url, **opciones) as ws:
            yield ws


@asynccontextmanager
async def _escenario(
    difusion: Difusion | None = None, envio_maximo_s: float = 5.0, **valores: Any
) -> AsyncIterator[Escenario]:
    fuente = FuenteFalsa()
    difusion = Difusion() if difusion is None else difusion
    conf = configuracion(**valores)
    canal = Canal(difusion, conf, envio_maximo_s=envio_maximo_s)
    async with (
        sirviendo(crear_app(fuente, conf, difusion=difusion, canal=canal)) as url,
        aiohttp.ClientSession() as sesion,
    ):
        yield Escenario(url, fuente, sesion, canal)


async def _tramas(ws: ClientWebSocketResponse, cuantas: int) -> list[Evento]:
    return [json.loads(await ws.receive_str(timeout=5)) for _ in range(cuantas)]


async def _ids(ws: ClientWebSocketResponse, cuantas: int) -> list[str]:
    return [trama["id"] for trama in await _tramas(ws, cuantas)]


async def _nada_mas(ws: ClientWebSocketResponse) -> None:
    with pytest.raises(TimeoutError):
        await ws.receive(timeout=0.05)


async def test_cada_cliente_recibe_cada_evento_una_vez_y_tal_cual() -> None:
    async with _escenario() as e, e.cliente() as a, e.cliente() as b:
        eventos = [evento(), evento("correo.enviado", asunto="Reserva en Bogotá ✈ مرحبا"), evento("PagoRechazado")]
        e.fuente.emitir(*eventos)
        assert await _tramas(a, 3) == eventos
        assert await _tramas(b, 3) == eventos


async def test_lo_interno_le_llega_solo_a_quien_pide_todo() -> None:
    fuente = FuenteFalsa()
    async with sirviendo(crear_app(fuente, configuracion())) as url, aiohttp.ClientSession(url) as sesion:
        publico, orden, otro = evento(), evento("PagarReserva", interno=True), evento("ReservaAprobada")
        async with sesion.ws_connect("/ws?todo=1") as entero, sesion.ws_connect("/ws") as corriente:
            fuente.emitir(publico, orden, otro)
            assert await _tramas(entero, 3) == [publico, orden, otro]
            assert await _tramas(corriente, 2) == [publico, otro]
        async with sesion.ws_connect(f"/ws?todo=1&desde={publico['id']}") as vuelve:
            assert await _tramas(vuelve, 2) == [orden, otro]


async def test_quien_se_reconecta_con_desde_recibe_lo_perdido_y_sigue_en_vivo_sin_hueco_ni_repetidos() -> None:
    async with _escenario() as e:
        eventos = [evento() for _ in range(300)]
        async with e.cliente() as ws:
            e.fuente.emitir(*eventos[:10])
            vistos = await _ids(ws, 10)
        e.fuente.emitir(*eventos[10:100])

        async def goteo() -> None:
            for uno in eventos[100:]:
                e.fuente.emitir(uno)
                await asyncio.sleep(0)

        emision = asyncio.create_task(goteo())
        async with e.cliente(desde=vistos[-1]) as ws:
            vistos += await _ids(ws, 290)
            await emision
            await _nada_mas(ws)
        assert vistos == [uno["id"] for uno in eventos]


async def test_un_desde_que_ya_no_esta_en_la_ventana_se_dice_y_despues_va_la_ventana_entera() -> None:
    async with _escenario(Difusion(ventana=5, atraso_maximo=10, ids_recordados=100)) as e:
        eventos = [evento() for _ in range(8)]
        async with e.cliente() as ws:
            e.fuente.emitir(*eventos)
            await _ids(ws, 8)
        for desde in (eventos[0]["id"], "desconocido"):
            async with e.cliente(desde=desde) as ws:
                (error,) = await _tramas(ws, 1)
                assert "ventana de los últimos 5" in error["error"]
                assert await _ids(ws, 5) == [uno["id"] for uno in eventos[3:]]


async def test_una_suscripcion_deja_solo_los_eventos_de_esa_reserva_y_se_puede_cambiar() -> None:
    async with _escenario() as e, e.cliente() as ws, e.cliente() as testigo:
        for _ in range(2):
            mia = str(uuid4())
            await ws.send_json({"suscribir": {"id_reserva": mia}})
            # El error que contesta a lo segundo prueba que lo primero ya se atendió.
            await ws.send_str("x")
            assert "error" in (await _tramas(ws, 1))[0]
            eventos = [evento(), evento("ReservaCreada", mia), evento(), evento("ReservaPagada", mia)]
            e.fuente.emitir(*eventos)
            assert await _tramas(ws, 2) == [eventos[1], eventos[3]]
            assert await _tramas(testigo, 4) == eventos


async def test_la_suscripcion_se_combina_con_desde() -> None:
    async with _escenario() as e:
        mia = str(uuid4())
        eventos = [evento(), evento("ReservaCreada", mia), evento(), evento("ReservaPagada", mia)]
        async with e.cliente() as ws:
            e.fuente.emitir(*eventos)
            await _ids(ws, 4)
        url = URL(e.url) / "ws" % {"desde": eventos[0]["id"], "id_reserva": mia.upper()}
        async with e.sesion.ws_connect(url) as ws:
            assert await _tramas(ws, 2) == [eventos[1], eventos[3]]
        async with e.cliente(desde=eventos[2]["id"]) as ws:
            await ws.send_json({"suscribir": {"id_reserva": mia}})
            assert await _ids(ws, 1) == [eventos[3]["id"]]
            e.fuente.emitir(evento(), aprobada := evento("ReservaAprobada", mia))
            assert await _tramas(ws, 1) == [aprobada]


async def test_cualquier_otra_cosa_recibe_un_error_y_la_conexion_sigue() -> None:
    async with _escenario() as e, e.cliente() as ws:
        for texto in ("hola", "", "[]", '{"suscribir": {"id_reserva": "x"}}', "[" * 4000, "x" * 2_000_000):
            await ws.send_str(texto)
            (trama,) = await _tramas(ws, 1)
            assert list(trama) == ["error"]
        await ws.send_bytes(b"\x00\xff")
        assert "binarios" in (await _tramas(ws, 1))[0]["error"]
        e.fuente.emitir(uno := evento())
        assert await _tramas(ws, 1) == [uno]


async def test_un_mensaje_desmedido_cierra_la_conexion_sin_recibirlo_entero() -> None:
    async with _escenario() as e, e.cliente() as ws:
        # El servidor corta sin leer el resto, así que al cliente le puede llegar el 1009 o sólo el corte.
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await ws.send_str("x" * (RECEPCION_MAXIMA_BYTES + 1))
            await ws.receive(timeout=5)
            assert ws.close_code in (aiohttp.WSCloseCode.MESSAGE_TOO_BIG, aiohttp.WSCloseCode.ABNORMAL_CLOSURE)
        await hasta(lambda: e.canal.clientes == 0)


async def test_un_origen_ajeno_se_rechaza_antes_de_abrir_y_los_admitidos_pasan() -> None:
    async with _escenario(ui_origenes="https://panel.example") as e:
        for origen in ("http://malo.example", "null"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as rechazo:
                await e.sesion.ws_connect(f"{e.url}/ws", origin=origen)
            assert rechazo.value.status == 403
        for origen in (e.url, "https://panel.example"):
            async with e.cliente(origin=origen):
                pass


async def test_hay_un_maximo_de_clientes_y_al_irse_uno_entra_otro() -> None:
    async with _escenario(ui_max_clientes=1) as e:
        async with e.cliente():
            with pytest.raises(aiohttp.WSServerHandshakeError) as rechazo:
                await e.sesion.ws_connect(f"{e.url}/ws")
            assert rechazo.value.status == 503
        await hasta(lambda: e.canal.clientes == 0)
        async with e.cliente():
            pass


async def test_una_peticion_que_no_es_websocket_no_ocupa_plaza() -> None:
    async with _escenario() as e:
        async with e.sesion.get(f"{e.url}/ws") as respuesta:
            assert respuesta.status in (400, 426)
        async with e.sesion.get(f"{e.url}/ws?id_reserva=x") as respuesta:
            assert respuesta.status == 400
        assert e.canal.clientes == 0


async def _cliente_parado(url: str) -> socket.socket:
    """Un cliente que abre el websocket y no vuelve a leer."""
    destino = URL(url)
    conexion = socket.socket()
    conexion.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    conexion.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(conexion, (destino.host, destino.port))
    saludo = (
        f"GET /ws HTTP/1.1\r\nHost: {destino.authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await loop.sock_sendall(conexion, saludo.encode())
    assert b"101" in await loop.sock_recv(conexion, 64)
    return conexion


async def test_un_cliente_que_no_lee_se_suelta_y_los_demas_reciben_todo() -> None:
    gordo = "á" * 15_000
    cuantos = 600
    async with _escenario(envio_maximo_s=0.3) as e, e.cliente() as sano:
        parado = await _cliente_parado(e.url)
        await hasta(lambda: e.canal.clientes == 2)
        try:
            recibidos = []
            for _ in range(cuantos):
                e.fuente.emitir(evento("Relleno", texto=gordo))
                recibidos += await _ids(sano, 1)
            await hasta(lambda: e.canal.clientes == 1)
            assert recibidos == [uno["id"] for uno in e.fuente.emitidos]
        finally:
            parado.close()


async def test_un_cliente_parado_no_acumula_memoria_mientras_se_lo_espera() -> None:
    gordo = "á" * 15_000
    difusion = Difusion(ventana=20, atraso_maximo=1_000, ids_recordados=1_000)
    async with _escenario(difusion, envio_maximo_s=60) as e, e.cliente() as sano:
        parados = [await _cliente_parado(e.url) for _ in range(5)]
        await hasta(lambda: e.canal.clientes == 6)
        tracemalloc.start()
        try:
            for _ in range(400):
                e.fuente.emitir(evento("Relleno", texto=gordo))
                await _ids(sano, 1)
            reservada_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            for parado in parados:
                parado.close()
        anillo_bytes = 400 * 2 * len(gordo)
        por_cliente_bytes = (reservada_bytes - anillo_bytes) / 6
        assert por_cliente_bytes < 1_000_000


async def test_un_cliente_que_queda_atras_del_anillo_se_despide_con_1013_y_vuelve_con_desde() -> None:
    difusion = Difusion(ventana=50, atraso_maximo=50, ids_recordados=1_000)
    async with _escenario(difusion) as e, e.cliente() as ws:
        e.fuente.emitir(uno := evento())
        assert await _ids(ws, 1) == [uno["id"]]
        rafaga = [evento() for _ in range(120)]
        for otro in rafaga:
            difusion.publicar(otro)
        assert (await ws.receive(timeout=5)).type is WSMsgType.CLOSE
        assert ws.close_code == aiohttp.WSCloseCode.TRY_AGAIN_LATER
        async with e.cliente(desde=uno["id"]) as otra_vez:
            assert "error" in (await _tramas(otra_vez, 1))[0]
            assert await _ids(otra_vez, 50) == [otro["id"] for otro in rafaga[70:]]


async def test_un_cliente_que_se_corta_de_golpe_libera_su_plaza() -> None:
    async with _escenario() as e:
        conexion = await _cliente_parado(e.url)
        await hasta(lambda: e.canal.clientes == 1)
        conexion.close()
        await hasta(lambda: e.canal.clientes == 0)


async def test_un_cliente_que_no_contesta_los_latidos_se_suelta() -> None:
    fuente, difusion = FuenteFalsa(), Difusion()
    canal = Canal(difusion, configuracion(), latido_s=0.2)
    async with sirviendo(crear_app(fuente, configuracion(), difusion=difusion, canal=canal)) as url:
        conexion = await _cliente_parado(url)
        try:
            await hasta(lambda: canal.clientes == 1)
            await hasta(lambda: canal.clientes == 0)
        finally:
            conexion.close()


async def test_al_detenerse_el_servidor_se_despide_con_1001() -> None:
    async with aiohttp.ClientSession() as sesion:
        async with _escenario() as e:
            ws = await sesion.ws_connect(f"{e.url}/ws")
            despedida = asyncio.create_task(ws.receive(timeout=5))
            await hasta(lambda: e.canal.clientes == 1)
        await despedida
        assert ws.close_code == aiohttp.WSCloseCode.GOING_AWAY

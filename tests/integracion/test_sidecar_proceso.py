"""El proceso del sidecar: cómo arranca, cómo para, y qué pasa cuando el API no está."""

import asyncio
import signal
import socket
import time
from uuid import uuid4

import grpc
import pytest
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.integracion.sidecar_apoyo import ApiFalso, VuelosStub, api_falso, ejecutar, hasta, pb, sidecar

PLAZO_S = 15.0


def puerto_cerrado() -> int:
    with socket.create_server(("127.0.0.1", 0)) as efimero:
        puerto: int = efimero.getsockname()[1]
        return puerto


class Compuerta:
    """Una conducta del API que avisa de que la petición llegó y no contesta hasta que se abre."""

    def __init__(self, api: ApiFalso) -> None:
        self._api = api
        self.llego = asyncio.Event()
        self.abierta = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.llego.set()
        await self.abierta.wait()
        return await self._api.reservar(request)


async def test_ofrece_salud_y_reflexion() -> None:
    async with sidecar(1) as marcha, grpc.aio.insecure_channel(marcha.direccion) as canal:
        salud = health_pb2_grpc.HealthStub(canal)
        for servicio in ("", "vuelos.Vuelos"):
            estado = await salud.Check(health_pb2.HealthCheckRequest(service=servicio), timeout=PLAZO_S)
            assert estado.status == health_pb2.HealthCheckResponse.SERVING

        reflexion = reflection_pb2_grpc.ServerReflectionStub(canal)
        pregunta = reflection_pb2.ServerReflectionRequest(list_services="")
        async for respuesta in reflexion.ServerReflectionInfo(iter([pregunta]), timeout=PLAZO_S):
            nombres = {servicio.name for servicio in respuesta.list_services_response.service}
        assert {"vuelos.Vuelos", "grpc.health.v1.Health"} <= nombres


async def test_con_el_api_caido_es_unavailable_dentro_del_plazo_y_dice_donde_lo_busca() -> None:
    puerto = puerto_cerrado()
    async with sidecar(puerto) as marcha, grpc.aio.insecure_channel(marcha.direccion) as canal:
        vuelos = VuelosStub(canal)
        for llamada in (
            vuelos.CrearReserva(pb.Reserva(), timeout=5.0),
            vuelos.ConsultarReserva(pb.QueryReserva(id=str(uuid4())), timeout=5.0),
        ):
            inicio = time.monotonic()
            with pytest.raises(grpc.aio.AioRpcError) as fallo:
                await llamada
            assert fallo.value.code() is grpc.StatusCode.UNAVAILABLE
            assert f"http://127.0.0.1:{puerto} no está disponible" in fallo.value.details()
            assert time.monotonic() - inicio < 5.0


async def test_cuando_el_api_vuelve_el_sidecar_sigue_sin_reiniciarse() -> None:
    puerto = puerto_cerrado()
    async with sidecar(puerto) as marcha, grpc.aio.insecure_channel(marcha.direccion) as canal:
        vuelos = VuelosStub(canal)
        async with api_falso(puerto):
            assert (await vuelos.CrearReserva(pb.Reserva(), timeout=PLAZO_S)).mensaje == "OK"

        with pytest.raises(grpc.aio.AioRpcError) as fallo:
            await vuelos.CrearReserva(pb.Reserva(), timeout=PLAZO_S)
        assert fallo.value.code() is grpc.StatusCode.UNAVAILABLE

        async with api_falso(puerto):
            assert (await vuelos.CrearReserva(pb.Reserva(), timeout=PLAZO_S)).mensaje == "OK"


@pytest.mark.parametrize("senal", [signal.SIGTERM, signal.SIGINT])
async def test_al_parar_termina_la_llamada_en_curso_y_sale_con_cero(senal: signal.Signals) -> None:
    async with api_falso() as api, sidecar(api.puerto) as marcha, grpc.aio.insecure_channel(marcha.direccion) as canal:
        api.conducta = compuerta = Compuerta(api)
        llamada = asyncio.ensure_future(VuelosStub(canal).CrearReserva(pb.Reserva(), timeout=PLAZO_S))
        await asyncio.wait_for(compuerta.llego.wait(), PLAZO_S)
        salida = asyncio.create_task(marcha.parar(senal))
        await hasta(lambda: any("parando" in linea for linea in marcha.lineas))
        compuerta.abierta.set()

        assert (await llamada).mensaje == "OK"
        assert await salida == 0
        assert not any("Traceback" in linea for linea in marcha.lineas)


async def test_al_parar_no_espera_mas_que_la_gracia_por_una_llamada_que_no_acaba() -> None:
    async with (
        api_falso() as api,
        sidecar(api.puerto, SIDECAR_GRACIA_S="1") as marcha,
        grpc.aio.insecure_channel(marcha.direccion) as canal,
    ):
        api.conducta = compuerta = Compuerta(api)
        llamada = asyncio.ensure_future(VuelosStub(canal).CrearReserva(pb.Reserva(), timeout=60.0))
        await asyncio.wait_for(compuerta.llego.wait(), PLAZO_S)
        inicio = time.monotonic()

        assert await marcha.parar(signal.SIGTERM) == 0

        assert time.monotonic() - inicio < 5.0
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
            await llamada
        compuerta.abierta.set()


async def test_un_puerto_ocupado_es_una_frase_que_lo_nombra_y_codigo_uno() -> None:
    with socket.create_server(("127.0.0.1", 0)) as ocupante:
        puerto = ocupante.getsockname()[1]
        codigo, _, errores = await ejecutar("src/sidecar/main.py", SIDECAR_PUERTO=str(puerto))

    assert codigo == 1
    assert f"el puerto {puerto} de 127.0.0.1: otro proceso ya lo usa" in errores
    assert len(errores.splitlines()) == 1


async def test_un_segundo_sidecar_no_comparte_el_puerto_del_primero() -> None:
    async with sidecar(1) as marcha:
        puerto = marcha.direccion.rpartition(":")[2]
        codigo, _, errores = await ejecutar("src/sidecar/main.py", SIDECAR_PUERTO=puerto)

    assert codigo == 1
    assert f"el puerto {puerto}" in errores


@pytest.mark.parametrize("variable", ["SIDECAR_PUERTO", "AEROALPES_PUERTO", "SIDECAR_GRACIA_S"])
async def test_una_variable_que_no_sirve_es_una_frase_que_la_nombra(variable: str) -> None:
    codigo, _, errores = await ejecutar("src/sidecar/main.py", **{variable: "cinco mil"})

    assert codigo == 1
    assert f"{variable} debe ser un entero" in errores
    assert len(errores.splitlines()) == 1

"""El sidecar de verdad, un cliente gRPC de verdad y un API de mentira que hace lo que se le pide."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio
from aiohttp import web
from google.protobuf.timestamp_pb2 import Timestamp
from tests.integracion.sidecar_apoyo import (
    SIDECAR,
    ApiFalso,
    VuelosStub,
    api_falso,
    cortar,
    hasta,
    pb,
    problema,
    sidecar,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

EJEMPLO = json.loads((SIDECAR / "mensajes" / "crear_reserva.json").read_text("utf-8"))
PLAZO_S = 15.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api_compartido() -> AsyncIterator[ApiFalso]:
    async with api_falso() as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vuelos(api_compartido: ApiFalso) -> AsyncIterator[VuelosStub]:
    async with sidecar(api_compartido.puerto) as marcha, grpc.aio.insecure_channel(marcha.direccion) as canal:
        yield VuelosStub(canal)


@pytest.fixture
def api(api_compartido: ApiFalso) -> ApiFalso:
    api_compartido.olvidar()
    return api_compartido


def una_reserva(**campos: object) -> pb.Reserva:
    leg = pb.Leg(
        fecha_salida=Timestamp(seconds=1669122600),
        fecha_llegada=Timestamp(seconds=1669129800),
        destino=pb.Locacion(codigo="JFK", nombre="John F. Kennedy International Airport"),
        origen=pb.Locacion(codigo="BOG", nombre="El Dorado - Bogotá International Airport (BOG)"),
    )
    itinerario = pb.Itinerario(odos=[pb.Odo(segmentos=[pb.Segmento(legs=[leg])])])
    return pb.Reserva(itinerarios=[itinerario], **campos)


async def fallo_de(llamada: grpc.aio.Call) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as atrapado:
        await llamada
    return atrapado.value


async def test_una_reserva_llega_al_api_en_la_forma_del_contrato_y_vuelve_completa(api, vuelos) -> None:
    respuesta = await vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S)

    assert [(p.metodo, p.ruta, p.cuerpo) for p in api.peticiones] == [("POST", "/vuelos/reserva", EJEMPLO)]
    assert respuesta.mensaje == "OK"
    assert UUID(respuesta.reserva.id)
    assert respuesta.reserva.estado == "PENDIENTE"
    assert respuesta.reserva.fecha_creacion == Timestamp(seconds=1667289600)
    assert not respuesta.reserva.HasField("id_cliente")
    assert respuesta.reserva.itinerarios == una_reserva().itinerarios


async def test_una_reserva_creada_se_consulta_por_su_id(api, vuelos) -> None:
    cliente = str(uuid4())
    creada = (await vuelos.CrearReserva(una_reserva(id_cliente=cliente), timeout=PLAZO_S)).reserva

    respuesta = await vuelos.ConsultarReserva(pb.QueryReserva(id=creada.id.upper()), timeout=PLAZO_S)

    assert respuesta.mensaje == "OK"
    assert respuesta.reserva == creada
    assert respuesta.reserva.id_cliente == cliente


async def test_lo_que_asigna_aeroalpes_se_ignora_al_crear(api, vuelos) -> None:
    pedida = una_reserva(id=str(uuid4()), estado="APROBADA", fecha_creacion=Timestamp(seconds=1))
    pedida.itinerarios[0].id = "mío"

    respuesta = await vuelos.CrearReserva(pedida, timeout=PLAZO_S)

    assert api.peticiones[0].cuerpo == EJEMPLO
    assert respuesta.reserva.id != pedida.id


async def test_una_reserva_vacia_llega_al_api_para_que_nombre_la_regla(api, vuelos) -> None:
    async def rechazar(request: web.Request) -> web.Response:
        return problema(422, "Una reserva necesita al menos un itinerario")

    api.conducta = rechazar

    fallo = await fallo_de(vuelos.CrearReserva(pb.Reserva(), timeout=PLAZO_S))

    assert api.peticiones[0].cuerpo == {"itinerarios": []}
    assert (fallo.code(), fallo.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Una reserva necesita al menos un itinerario",
    )


@pytest.mark.parametrize(
    ("estado", "codigo"),
    [
        (400, grpc.StatusCode.INVALID_ARGUMENT),
        (415, grpc.StatusCode.INVALID_ARGUMENT),
        (413, grpc.StatusCode.INVALID_ARGUMENT),
        (422, grpc.StatusCode.INVALID_ARGUMENT),
        (401, grpc.StatusCode.UNAUTHENTICATED),
        (403, grpc.StatusCode.UNAUTHENTICATED),
        (404, grpc.StatusCode.NOT_FOUND),
        (409, grpc.StatusCode.ALREADY_EXISTS),
        (502, grpc.StatusCode.UNAVAILABLE),
        (503, grpc.StatusCode.UNAVAILABLE),
        (504, grpc.StatusCode.DEADLINE_EXCEEDED),
        (500, grpc.StatusCode.INTERNAL),
        (418, grpc.StatusCode.UNKNOWN),
        (302, grpc.StatusCode.UNKNOWN),
    ],
)
async def test_cada_estado_http_tiene_su_codigo_y_lleva_el_detalle_del_problema(api, vuelos, estado, codigo) -> None:
    async def fallar(request: web.Request) -> web.Response:
        return problema(estado, "Qué pasó, con eñe")

    api.conducta = fallar

    for llamada in (vuelos.CrearReserva(una_reserva()), vuelos.ConsultarReserva(pb.QueryReserva(id=str(uuid4())))):
        fallo = await fallo_de(llamada)
        assert fallo.code() is codigo
        assert fallo.details().endswith("Qué pasó, con eñe")
    assert len(api.peticiones) == 2


@pytest.mark.parametrize(
    "cuerpo",
    [
        b"<h1>Bad gateway</h1>",
        b"",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"detail": 3}',
        b'[{"detail": "no"}]',
    ],
)
async def test_un_error_sin_problema_legible_dice_el_estado_y_la_direccion(api, vuelos, cuerpo) -> None:
    async def fallar(request: web.Request) -> web.Response:
        return web.Response(status=500, body=cuerpo)

    api.conducta = fallar

    fallo = await fallo_de(vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S))

    assert fallo.code() is grpc.StatusCode.INTERNAL
    assert fallo.details() == f"El API en http://127.0.0.1:{api.puerto} contestó 500"


@pytest.mark.parametrize("detalle", ["ñ🛫" * 100_000, "línea\r\notra\x00", "suelto \ud800"])
async def test_ningun_detalle_rompe_la_respuesta(api, vuelos, detalle) -> None:
    async def fallar(request: web.Request) -> web.Response:
        return problema(422, detalle)

    api.conducta = fallar

    fallo = await fallo_de(vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S))

    assert fallo.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fallo.details()[:2] == detalle[:2]


@pytest.mark.parametrize(
    "cuerpo",
    [
        b"no es JSON",
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b"{}",
        b'{"id": ""}',
        b'{"id": 7}',
        b'{"id": "a", "itinerarios": "BOG-JFK"}',
        b'{"id": "a", "fecha_creacion": "ayer"}',
        b'{"id": "\\ud800"}',
        b"[" * 100_000,
        b'{"id": "' + b"x" * 5_000_000 + b'"}',
    ],
)
async def test_una_respuesta_sin_la_forma_de_una_reserva_es_internal_y_se_explica(api, vuelos, cuerpo) -> None:
    async def contestar(request: web.Request) -> web.Response:
        return web.Response(body=cuerpo, content_type="application/json")

    api.conducta = contestar

    fallo = await fallo_de(vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S))

    assert fallo.code() is grpc.StatusCode.INTERNAL
    assert fallo.details().startswith("El API")
    assert len(api.peticiones) == 1


async def test_quien_contesta_algo_que_no_es_http_es_internal(api, vuelos) -> None:
    async def balbucear(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"220 correo.example ESMTP\r\n\r\n")
        request.transport.close()
        return web.Response()

    api.conducta = balbucear

    fallo = await fallo_de(vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S))

    assert fallo.code() is grpc.StatusCode.INTERNAL
    assert "no es HTTP" in fallo.details()


async def test_el_plazo_de_quien_llama_acota_la_peticion_al_api(api, vuelos) -> None:
    conexion = asyncio.get_running_loop().create_future()

    async def callar(request: web.Request) -> web.StreamResponse:
        conexion.set_result(request.transport)
        await asyncio.sleep(PLAZO_S)
        return web.Response()

    api.conducta = callar
    inicio = time.monotonic()

    fallo = await fallo_de(vuelos.CrearReserva(una_reserva(), timeout=1.0))

    assert fallo.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - inicio < 3.0
    await hasta(conexion.result().is_closing)
    assert len(api.peticiones) == 1


async def test_una_conexion_cortada_se_repite_una_vez_con_la_misma_clave(api, vuelos) -> None:
    async def cortar_la_primera(request: web.Request) -> web.StreamResponse:
        return await (cortar if len(api.peticiones) == 1 else api.reservar)(request)

    api.conducta = cortar_la_primera

    respuesta = await vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S)

    claves = [p.cabeceras["Idempotency-Key"] for p in api.peticiones]
    assert len(claves) == 2
    assert len(set(claves)) == 1
    assert respuesta.mensaje == "OK"


async def test_una_respuesta_cortada_a_la_mitad_se_repite_con_la_misma_clave(api, vuelos) -> None:
    async def cortar_la_primera_a_la_mitad(request: web.Request) -> web.StreamResponse:
        if len(api.peticiones) > 1:
            return await api.reservar(request)
        respuesta = web.StreamResponse(headers={"Content-Length": "1000"})
        await respuesta.prepare(request)
        await respuesta.write(b'{"id": "')
        return await cortar(request)

    api.conducta = cortar_la_primera_a_la_mitad

    respuesta = await vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S)

    assert len({p.cabeceras["Idempotency-Key"] for p in api.peticiones}) == 1
    assert UUID(respuesta.reserva.id)


async def test_una_conexion_cortada_dos_veces_es_unavailable_y_devuelve_la_clave_usada(api, vuelos) -> None:
    api.conducta = cortar

    fallo = await fallo_de(vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S))

    assert fallo.code() is grpc.StatusCode.UNAVAILABLE
    assert f"127.0.0.1:{api.puerto}" in fallo.details()
    clave = fallo.trailing_metadata()["idempotency-key"]
    assert [p.cabeceras["Idempotency-Key"] for p in api.peticiones] == [clave, clave]


async def test_los_metadatos_pasan_como_cabeceras_y_los_demas_no(api, vuelos) -> None:
    pasan = {
        "idempotency-key": "clave-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "authorization": "Bearer abc",
    }

    llamada = vuelos.CrearReserva(una_reserva(), metadata=[*pasan.items(), ("cookie", "no")], timeout=PLAZO_S)
    await llamada

    cabeceras = api.peticiones[0].cabeceras
    assert {nombre: cabeceras[nombre] for nombre in pasan} == pasan
    assert "cookie" not in cabeceras
    assert (await llamada.trailing_metadata())["idempotency-key"] == "clave-1"


async def test_dos_reservas_iguales_llevan_claves_distintas(api, vuelos) -> None:
    await asyncio.gather(*(vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S) for _ in range(2)))

    assert len({p.cabeceras["Idempotency-Key"] for p in api.peticiones}) == 2


@pytest.mark.parametrize("texto", ["", "no-es-un-uuid", "../../health", "7"])
async def test_un_id_que_no_es_uuid_se_rechaza_sin_llamar_al_api(api, vuelos, texto) -> None:
    for llamada in (
        vuelos.ConsultarReserva(pb.QueryReserva(id=texto), timeout=PLAZO_S),
        vuelos.CrearReserva(una_reserva(id_cliente=texto), timeout=PLAZO_S),
    ):
        fallo = await fallo_de(llamada)
        assert fallo.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "no es un UUID" in fallo.details()
    assert api.peticiones == []


@pytest.mark.parametrize("marca", [Timestamp(seconds=10**15), Timestamp(nanos=-1), Timestamp(nanos=10**9)])
async def test_una_fecha_fuera_de_rango_se_rechaza_sin_llamar_al_api(api, vuelos, marca) -> None:
    reserva = una_reserva()
    reserva.itinerarios[0].odos[0].segmentos[0].legs[0].fecha_salida.CopyFrom(marca)

    fallo = await fallo_de(vuelos.CrearReserva(reserva, timeout=PLAZO_S))

    assert fallo.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "fecha" in fallo.details()
    assert api.peticiones == []


async def test_muchas_llamadas_a_la_vez_reciben_cada_una_su_reserva(api, vuelos) -> None:
    creadas = await asyncio.gather(*(vuelos.CrearReserva(una_reserva(), timeout=PLAZO_S) for _ in range(150)))

    assert {r.reserva.id for r in creadas} == api.reservas.keys()
    assert len(api.reservas) == 150

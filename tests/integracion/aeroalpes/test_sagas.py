"""La saga de una reserva con todos sus contextos: acaba aprobada, o cancelada sin que quede nada hecho."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from tests.integracion.aeroalpes.contexto import Contexto, mensaje
from tests.integracion.aeroalpes.reservas import cuerpo, es_problema, itinerario, leg
from tests.integracion.aeroalpes.reservas_en_marcha import NACIO, acaba, cambiando, reserva, suite_en
from tests.integracion.muertes import muriendo
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva
from tests.procesos import Aeroalpes, hasta

from aeroalpes.api import create_app
from aeroalpes.modulos.gds.modulo import GDS
from aeroalpes.modulos.hoteles.infraestructura.cupo import HABITACIONES
from aeroalpes.modulos.hoteles.infraestructura.tablas import noches
from aeroalpes.modulos.pagos.aplicacion.queries.obtener_pago import ObtenerPago
from aeroalpes.modulos.sagas.aplicacion import eventos as saga
from aeroalpes.modulos.sagas.aplicacion.reservar import APROBAR, CONFIRMAR, PAGAR, RESERVAR, RESERVAR_V1
from aeroalpes.modulos.sagas.modulo import SAGAS
from aeroalpes.modulos.vehiculos.infraestructura.tablas import alquileres
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.sagas.definicion import Paso
from seedwork.aplicacion.sagas.maquina import ACABADAS
from seedwork.aplicacion.sagas.puerto import Sagas
from seedwork.aplicacion.sagas.seguimiento import ListarSagas, ObtenerSaga, SagaConDiario
from seedwork.dominio.excepciones import NoEncontrado
from seedwork.infraestructura.sagas.temporizador import Temporizador
from seedwork.infraestructura.tablas import sagas as sagas_guardadas

_DEVOLVIENDO = [
    {"paso": "PagarReserva", "estado": "COMPENSANDO"},
    {"paso": "ConfirmarReserva", "estado": "FALLIDO"},
    {"paso": "ReservarHotel", "estado": "PENDIENTE"},
    {"paso": "ReservarVehiculo", "estado": "PENDIENTE"},
    {"paso": "AprobarReserva", "estado": "PENDIENTE"},
]
_TOMADO = {"habitaciones": 1, "coche": "APARTADO"}
_SOLTADO = {"habitaciones": 0, "coche": "NEGADO"}


def sagas(*pasos: Paso) -> Modulo:
    return replace(SAGAS, sagas=[replace(RESERVAR, pasos=pasos)])


async def saga_acabada(suite: Contexto, id: uuid.UUID) -> SagaConDiario:
    """La de esa reserva, que acaba algo después que ella: cuando le cuentan cómo quedó."""
    async with asyncio.timeout(30):
        while True:
            vista = await suite.sistema.ejecutar_async(ObtenerSaga(saga="reservar", clave=str(id)))
            if vista.saga.estado in ACABADAS:
                return vista
            await asyncio.sleep(0.02)


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(request.param, tmp_path) as url:
        yield url


@EN_AMBAS
async def test_cada_reserva_acaba_aprobada_o_cancelada_con_su_motivo_y_sin_nada_cobrado(
    base: str, tmp_path: Path
) -> None:
    async with suite_en(tmp_path, base) as suite:
        pedidas = [reserva(), reserva(medio="tok"), reserva(medio="tok_rechazado"), reserva(destino="ZZZ")]
        ids = [await suite.sistema.ejecutar_async(pedida) for pedida in pedidas]
        finales = [await acaba(suite, id) for id in ids]
        saldos = [(await suite.sistema.ejecutar_async(ObtenerPago(id_reserva=id))) for id in ids]
        vistas = [await saga_acabada(suite, id) for id in ids]
    assert finales[:2] == [("APROBADA", None)] * 2
    assert finales[2] == ("CANCELADA", "El banco rechazó el cobro")
    assert finales[3][0] == "CANCELADA"
    assert "ZZZ" in str(finales[3][1])
    assert [pago.saldo for pago in saldos] == [saldos[0].monto, saldos[1].monto, 0, 0]
    assert [[paso.estado for paso in vista.saga.pasos] for vista in vistas] == [
        ["HECHO", "HECHO", "OMITIDO", "OMITIDO", "HECHO"],
        ["HECHO", "HECHO", "OMITIDO", "OMITIDO", "HECHO"],
        ["FALLIDO", *["PENDIENTE"] * 4],
        ["COMPENSADO", "FALLIDO", *["PENDIENTE"] * 3],
    ]


@EN_AMBAS
async def test_lo_que_se_quiere_ademas_se_toma_y_si_no_se_puede_se_deshace_todo(base: str, tmp_path: Path) -> None:
    async with suite_en(tmp_path, base) as suite:
        with suite.sistema.motor.begin() as conexion:  # type: ignore[union-attr]
            conexion.execute(insert(noches).values(hotel="Lleno", fecha=NACIO.date(), ocupadas=HABITACIONES))
        pedidas = [
            reserva(hotel="Dann", edad=21),
            reserva(edad=30),
            reserva(hotel="Dann"),
            reserva(hotel="Lleno", edad=30),
            reserva(hotel="Dann", edad=20),
        ]
        ids = [await suite.sistema.ejecutar_async(pedida) for pedida in pedidas]
        finales = [await acaba(suite, id) for id in ids]
        saldos = [(await suite.sistema.ejecutar_async(ObtenerPago(id_reserva=id))).saldo for id in ids]
        vistas = [await saga_acabada(suite, id) for id in ids]
        with suite.sistema.motor.connect() as conexion:  # type: ignore[union-attr]
            ocupadas = {fila.hotel: fila.ocupadas for fila in conexion.execute(select(noches))}
            coches = conexion.scalars(select(alquileres.c.fase)).all()
    assert finales == [
        *[("APROBADA", None)] * 3,
        ("CANCELADA", "No quedan habitaciones esa noche"),
        ("CANCELADA", "Para conducir hay que tener al menos 21 años"),
    ]
    assert [saldo > 0 for saldo in saldos] == [True, True, True, False, False]
    assert ocupadas == {"Dann": 2, "Lleno": HABITACIONES}
    assert sorted(coches) == ["APARTADO", "APARTADO", "NEGADO"]
    assert [[paso.estado for paso in vista.saga.pasos[:-1]] for vista in vistas] == [
        ["HECHO", "HECHO", "HECHO", "HECHO"],
        ["HECHO", "HECHO", "OMITIDO", "HECHO"],
        ["HECHO", "HECHO", "HECHO", "OMITIDO"],
        ["COMPENSADO", "COMPENSADO", "FALLIDO", "PENDIENTE"],
        ["COMPENSADO", "COMPENSADO", "COMPENSADO", "FALLIDO"],
    ]
    deshecho = [nota.mensaje for nota in vistas[-1].diario if nota.que == "COMPENSACION_PEDIDA"]
    assert deshecho == ["LiberarHotel", "RevertirConfirmacion", "RevertirPago"]


FORMA_V1 = "283569908d135f2c"
"""La que guardaron las sagas que empezaron cuando no había hoteles ni vehículos."""


@EN_AMBAS
async def test_una_saga_que_empezo_con_la_version_1_acaba_con_ella(base: str, tmp_path: Path) -> None:
    sordo, vieja = replace(GDS, consumidores=[]), replace(SAGAS, sagas=[RESERVAR_V1])
    async with suite_en(tmp_path, base, cambiando(vieja, sordo)) as suite:
        antes = await suite.sistema.ejecutar_async(reserva())
        await suite.hasta(lambda: "ReservaPagada" in suite.tipos(antes), "se pagara")
        with suite.sistema.motor.connect() as conexion:  # type: ignore[union-attr]
            fila = conexion.execute(select(sagas_guardadas)).one()
    assert (fila.definicion, fila.forma) == (1, FORMA_V1)
    assert [paso["paso"] for paso in fila.pasos] == ["PagarReserva", "ConfirmarReserva", "AprobarReserva"]
    async with suite_en(tmp_path, base) as suite:
        ahora = await suite.sistema.ejecutar_async(reserva(hotel="Dann"))
        assert [await acaba(suite, id) for id in (antes, ahora)] == [("APROBADA", None)] * 2
        for id, version, cuantos in ((antes, 1, 3), (ahora, 2, 5)):
            vista = (await saga_acabada(suite, id)).saga
            assert (vista.estado, vista.version, len(vista.pasos)) == ("COMPLETADA", version, cuantos)


async def test_un_pago_que_no_responde_vence_y_la_reserva_se_cancela_sin_nada_cobrado(tmp_path: Path) -> None:
    modulo = sagas(replace(PAGAR, plazo_s=0.5), CONFIRMAR, APROBAR)
    async with suite_en(tmp_path, modulos=cambiando(modulo)) as suite:
        id = await suite.sistema.ejecutar_async(reserva(medio="tok_lento"))
        assert await acaba(suite, id) == ("CANCELADA", "PagarReserva no respondió en 0.5 s")
        pago = await suite.sistema.ejecutar_async(ObtenerPago(id_reserva=id))
        assert (pago.estado, pago.saldo) == ("REVERTIDO", 0)


async def test_unas_aerolineas_que_no_responden_devuelven_el_pago_y_su_respuesta_tardia_se_deshace(
    tmp_path: Path,
) -> None:
    sordo = replace(GDS, consumidores=[])
    modulo = sagas(PAGAR, replace(CONFIRMAR, plazo_s=0.5), APROBAR)
    async with suite_en(tmp_path, modulos=cambiando(modulo, sordo)) as suite:
        id = await suite.sistema.ejecutar_async(reserva())
        async with asyncio.timeout(30):
            while [s.estado for s in (await suite.sistema.ejecutar_async(ListarSagas())).sagas] != ["COMPENSANDO"]:
                await asyncio.sleep(0.05)
    async with suite_en(tmp_path, modulos=cambiando(modulo)) as suite:  # vuelven: atienden lo pedido, y lo deshacen
        assert await acaba(suite, id) == ("CANCELADA", "ConfirmarReserva no respondió en 0.5 s")
        pago = await suite.sistema.ejecutar_async(ObtenerPago(id_reserva=id))
        assert (pago.estado, pago.saldo) == ("REVERTIDO", 0)


async def test_una_reserva_que_alguien_cancela_a_mitad_no_se_queda_cobrada(tmp_path: Path) -> None:
    sordo = replace(GDS, consumidores=[])
    async with suite_en(tmp_path, modulos=cambiando(sordo)) as suite:
        id = await suite.sistema.ejecutar_async(reserva())
        await suite.hasta(lambda: "ReservaPagada" in suite.tipos(id), "se pagara")
        cancelar = comandos.CancelarReserva(id_reserva=str(id), motivo="ya no voy")
        await suite.mandar(
            mensaje(comandos.ComandosReserva, comandos.TOPICO, "CancelarReserva", id, cancelar_reserva=cancelar)
        )
        await suite.hasta(lambda: "ReservaCancelada" in suite.tipos(id), "se cancelara")
    async with suite_en(tmp_path) as suite:
        async with asyncio.timeout(30):
            while [s.estado for s in (await suite.sistema.ejecutar_async(ListarSagas())).sagas] != ["COMPENSADA"]:
                await asyncio.sleep(0.05)
        assert await acaba(suite, id) == ("CANCELADA", "ya no voy")
        pago = await suite.sistema.ejecutar_async(ObtenerPago(id_reserva=id))
        assert (pago.estado, pago.saldo) == ("REVERTIDO", 0)


async def test_lo_publicado_cuando_las_reservas_no_tenian_precio_no_empieza_ninguna_saga(tmp_path: Path) -> None:
    vieja, nueva = uuid.uuid4(), reserva()
    async with suite_en(tmp_path) as suite:
        creada = eventos.ReservaCreada(id_reserva=str(vieja), estado="PENDIENTE", fecha_creacion=1)
        await suite.mandar(
            mensaje(eventos.EventosReserva, eventos.TOPICO, "ReservaCreada", vieja, reserva_creada=creada)
        )
        await suite.sistema.ejecutar_async(nueva)
        await acaba(suite, nueva.id)
        await suite.hasta_letras("aeroalpes-sagas-reserva", 0)
        with pytest.raises(NoEncontrado):
            await suite.sistema.ejecutar_async(ObtenerSaga(saga="reservar", clave=str(vieja)))


@pytest.mark.parametrize(
    ("edad", "esperado"),
    [
        ("30", {"reserva": "APROBADA", "pago": "COBRADO", "cobrado": True, **_TOMADO}),
        ("20", {"reserva": "CANCELADA", "pago": "REVERTIDO", "cobrado": False, **_SOLTADO}),
    ],
)
def test_muera_donde_muera_el_proceso_la_reserva_acaba_y_el_dinero_cuadra(
    tmp_path: Path, edad: str, esperado: dict[str, Any]
) -> None:
    finales = muriendo("tests.integracion.aeroalpes.reserva_proceso", tmp_path, edad)
    assert finales == {punto: {**esperado, "saldo_en_el_banco": 0, "cobros": 1} for punto in finales}


# --- por HTTP -------------------------------------------------------------------------------------------------------


def test_una_persona_ve_por_donde_va_su_reserva_y_que_se_deshizo(suite: Aeroalpes) -> None:
    http = suite.api().http
    es_problema(http.get(f"/sagas/{uuid.uuid4()}"), 404)
    assert http.get("/sagas").json() == {"manera": "orquestada", "sagas": [], "siguiente": None}
    sin_plazas = cuerpo(itinerarios=[itinerario(leg(destino={"codigo": "ZZZ", "nombre": "Ninguna parte"}))])
    id = http.post("/vuelos/reserva", json=sin_plazas).json()["id"]
    hasta(lambda: http.get(f"/vuelos/reserva/{id}").json()["estado"] == "CANCELADA", "se cancelara")
    saga = http.get(f"/sagas/{id}").json()
    assert (saga["id_reserva"], saga["estado"], saga["vence"]) == (id, "COMPENSADA", None)
    assert "ZZZ" in saga["motivo"]
    assert [tuple(paso.values()) for paso in saga["pasos"]] == [
        ("PagarReserva", "COMPENSADO", "RevertirPago"),
        ("ConfirmarReserva", "FALLIDO", "RevertirConfirmacion"),
        ("ReservarHotel", "PENDIENTE", "LiberarHotel"),
        ("ReservarVehiculo", "PENDIENTE", "LiberarVehiculo"),
        ("AprobarReserva", "PENDIENTE", None),
    ]
    assert [(nota["que"], nota["mensaje"]) for nota in saga["diario"]] == [
        ("INICIADA", "ReservaCreada"),
        ("PEDIDO", "PagarReserva"),
        ("EXITO", "ReservaPagada"),
        ("PEDIDO", "ConfirmarReserva"),
        ("FALLO", "ConfirmacionRechazada"),
        ("COMPENSACION_PEDIDA", "RevertirPago"),
        ("COMPENSADO", "PagoRevertido"),
        ("AVISADO", "CancelarReserva"),
        ("COMPENSADA", "reservar"),
    ]
    assert all(nota["id_mensaje"] for nota in saga["diario"])
    assert http.get(f"/pagos/{id}").json()["saldo"] == 0


@pytest.mark.capacidad("X02")
def test_una_saga_detenida_se_ve_entre_las_demas_y_se_reanuda(tmp_path: Path) -> None:
    app = create_app({"AEROALPES_DATOS": tmp_path, "AEROALPES_TRABAJADOR": "aparte"})
    http, sistema = app.test_client(), app.extensions["bus"]
    ids = [str(sistema.ejecutar(reserva())) for _ in range(3)]
    for id in ids:
        creada = saga.ReservaCreada(id_reserva=uuid.UUID(id), id_cliente=None, monto=1, medio=None, tramos=())
        sistema.en_transaccion(lambda t, evento=creada: t.ambito.get(Sagas).recibir(evento))
    with sistema.motor.begin() as conexion:  # como si devolver su pago se hubiera pedido ya cuantas veces se pide
        conexion.execute(
            update(sagas_guardadas)
            .where(sagas_guardadas.c.clave == ids[1])
            .values(
                estado="COMPENSANDO",
                motivo="x",
                intentos=RESERVAR.intentos_compensacion,
                vence_ms=1,
                pasos=_DEVOLVIENDO,
            )
        )
    Temporizador(sistema).vuelta()

    def pagina(**parametros: Any) -> Any:
        return http.get("/sagas", query_string=parametros).json

    assert [una["id_reserva"] for una in pagina(estado="DETENIDA")["sagas"]] == [ids[1]]
    primera = pagina(limite=2)
    resto = pagina(limite=2, cursor=primera["siguiente"])
    assert {una["id_reserva"] for una in primera["sagas"] + resto["sagas"]} == {*ids}
    assert resto["siguiente"] is None
    for malo in ({"estado": "PARADA"}, {"cursor": "no"}, {"limite": 0}):
        problema = http.get("/sagas", query_string=malo)
        assert (problema.status_code, problema.content_type) == (400, "application/problem+json"), malo

    reanudada = http.post(f"/sagas/{ids[1]}/reanudar").json
    assert (reanudada["estado"], reanudada["diario"][-1]["mensaje"]) == ("COMPENSANDO", "RevertirPago")
    assert reanudada == http.get(f"/sagas/{ids[1]}").json
    otra_vez = http.post(f"/sagas/{ids[1]}/reanudar")
    assert (otra_vez.status_code, otra_vez.json["regla"]) == (422, "SagaNoDetenida")
    assert "sólo se reanuda una detenida" in otra_vez.json["detail"]
    assert http.post(f"/sagas/{uuid.uuid4()}/reanudar").status_code == 404
    app.extensions["en_marcha"].parar()

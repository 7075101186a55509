"""Las sagas en la base: una transición por evento, con su diario, sus versiones y sus plazos."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text, update
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva
from tests.integracion.seedwork.viajes import armar
from tests.unit.seedwork.viaje import (
    AVISAR,
    PAGAR,
    VIAJE,
    Avisado,
    Cancelar,
    DevolverPago,
    Pagado,
    Pagar,
    PagoDevuelto,
    PagoNegado,
    Reservado,
    SinPlazas,
    ViajePedido,
    con,
)

from seedwork.aplicacion.mensajes import Despachador
from seedwork.aplicacion.sagas.maquina import EstadoSaga, SagaNoDetenida
from seedwork.aplicacion.sagas.puerto import EventoSinSaga, Sagas
from seedwork.aplicacion.sagas.seguimiento import CursorInvalido, ListarSagas, ObtenerSaga, ReanudarSaga, SagaConDiario
from seedwork.dominio.excepciones import NoEncontrado
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.sagas.definiciones import DefinicionAusente
from seedwork.infraestructura.sagas.registro import SagasSQLAlchemy
from seedwork.infraestructura.sagas.temporizador import ARRANQUE_S, Temporizador
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import outbox, sagas, sagas_diario


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(getattr(request, "param", "sqlite"), tmp_path) as url:
        yield url


@pytest.fixture
def sistema(base: str) -> Iterator[Sistema]:
    sistema = armar(base)
    yield sistema
    sistema.cerrar()


def llega(sistema: Sistema, *eventos: object, id_mensaje: str | None = None) -> None:
    for evento in eventos:
        sistema.en_transaccion(lambda t, e=evento: t.ambito.get(Sagas).recibir(e, id_mensaje=id_mensaje))  # type: ignore[misc]


def mandados(sistema: Sistema, id: str | None = None) -> list[str]:
    """Los comandos que salieron, en orden; de un solo viaje si se dice."""
    assert sistema.motor is not None
    with sistema.motor.connect() as conexion:
        filas = conexion.execute(select(outbox).order_by(outbox.c.secuencia)).all()
    return [fila.cabeceras["type"] for fila in filas if id in (None, fila.clave)]


def ver(sistema: Sistema, id: str) -> SagaConDiario:
    return sistema.ejecutar(ObtenerSaga(saga="viaje", clave=id))


def vencidas(sistema: Sistema) -> None:
    """Como si todos los plazos en curso hubieran pasado ya."""
    assert sistema.motor is not None
    with sistema.motor.begin() as conexion:
        conexion.execute(update(sagas).where(sagas.c.vence_ms.is_not(None)).values(vence_ms=1, actualizada_ms=0))


@EN_AMBAS
def test_avanza_con_cada_evento_y_su_diario_dice_que_paso_y_por_que_mensaje(sistema: Sistema) -> None:
    llega(sistema, ViajePedido(id_viaje="a", monto=7), id_mensaje="m1")
    llega(sistema, Pagado(id_viaje="a"), id_mensaje="m2")
    llega(sistema, Reservado(id_viaje="a"), Avisado(id_viaje="a"))
    assert mandados(sistema) == ["Pagar", "Reservar", "Avisar"]
    vista = ver(sistema, "a")
    assert (vista.saga.estado, vista.saga.version, vista.saga.vence) == ("COMPLETADA", 1, None)
    assert [(p.comando, p.estado, p.compensacion) for p in vista.saga.pasos] == [
        ("Pagar", "HECHO", "DevolverPago"),
        ("Reservar", "HECHO", "SoltarReserva"),
        ("Avisar", "HECHO", None),
    ]
    assert [(n.que, n.mensaje, n.id_mensaje) for n in vista.diario][:4] == [
        ("INICIADA", "ViajePedido", "m1"),
        ("PEDIDO", "Pagar", "m1"),
        ("EXITO", "Pagado", "m2"),
        ("PEDIDO", "Reservar", "m2"),
    ]
    assert vista.diario[-1].que == "COMPLETADA"


@EN_AMBAS
def test_un_fallo_deshace_lo_hecho_y_el_motivo_llega_a_quien_deshace(sistema: Sistema) -> None:
    datos: list[Any] = []
    assert sistema.motor is not None
    llega(sistema, ViajePedido(id_viaje="a", monto=7), Pagado(id_viaje="a"), SinPlazas(id_viaje="a"))
    llega(sistema, PagoDevuelto(id_viaje="a"))
    assert mandados(sistema) == ["Pagar", "Reservar", "DevolverPago", "Cancelar"]
    with sistema.motor.connect() as conexion:
        datos = [bytes(cuerpo) for cuerpo in conexion.scalars(select(outbox.c.cuerpo).order_by(outbox.c.secuencia))]
    assert datos[0] == b'{"id_viaje":"a","monto":7}'
    assert datos[2:] == [b'{"id_viaje":"a","motivo":"SinPlazas"}'] * 2


def test_si_la_transaccion_no_se_confirma_no_queda_ni_estado_ni_diario_ni_comando(sistema: Sistema) -> None:
    def fallar(t: Any) -> None:
        t.ambito.get(Sagas).recibir(ViajePedido(id_viaje="a", monto=1))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sistema.en_transaccion(fallar)
    assert mandados(sistema) == []
    with pytest.raises(NoEncontrado, match="No hay ninguna saga 'viaje' de a"):
        ver(sistema, "a")


@EN_AMBAS
def test_una_transicion_cuesta_tres_sentencias_ademas_de_dejar_el_comando(sistema: Sistema) -> None:
    sentencias: list[str] = []
    assert sistema.motor is not None
    event.listen(sistema.motor, "before_cursor_execute", lambda *a: sentencias.append(a[2]))
    llega(sistema, ViajePedido(id_viaje="a", monto=1))
    sentencias.clear()
    llega(sistema, Pagado(id_viaje="a"))
    propias = [s for s in sentencias if "outbox" not in s and "advisory" not in s]
    assert [s.split()[0] for s in propias] == ["SELECT", "UPDATE", "INSERT"], sentencias


def test_lo_que_no_se_sabe_de_quien_es_se_ignora_y_lo_que_nadie_escucha_es_un_error(sistema: Sistema) -> None:
    llega(sistema, Pagado(id_viaje="nadie"))
    assert sistema.ejecutar(ListarSagas()).sagas == ()
    with pytest.raises(EventoSinSaga, match=r"Ninguna saga escucha .*str"):
        llega(sistema, "hola")


@EN_AMBAS
def test_muchos_a_la_vez_sobre_la_misma_saga_la_mueven_una_vez(sistema: Sistema) -> None:
    errores: list[Exception] = []

    def contar(evento: object) -> None:
        try:
            llega(sistema, evento)
        except Exception as error:  # noqa: BLE001 - la prueba los quiere todos
            errores.append(error)

    for evento in (ViajePedido(id_viaje="a", monto=1), Pagado(id_viaje="a"), SinPlazas(id_viaje="a")):
        hilos = [threading.Thread(target=contar, args=[evento]) for _ in range(6)]
        for hilo in hilos:
            hilo.start()
        for hilo in hilos:
            hilo.join(60)
    assert errores == []
    assert mandados(sistema) == ["Pagar", "Reservar", "DevolverPago"]
    assert [n.que for n in ver(sistema, "a").diario].count("IGNORADO") == 15


# --- plazos -----------------------------------------------------------------------------------------------------------


@EN_AMBAS
def test_un_plazo_vence_una_sola_vez_aunque_lo_miren_varios(sistema: Sistema, base: str) -> None:
    otro = armar(base)
    for i in range(20):
        llega(sistema, ViajePedido(id_viaje=f"v{i}", monto=1))
    vencidas(sistema)
    hilos = [threading.Thread(target=Temporizador(s).vuelta) for s in (sistema, otro, sistema, otro)]
    for hilo in hilos:
        hilo.start()
    for hilo in hilos:
        hilo.join(60)
    otro.cerrar()
    assert mandados(sistema).count("DevolverPago") == 20
    assert ver(sistema, "v7").saga.motivo == "Pagar no respondió en 30 s"
    assert [n.que for n in ver(sistema, "v7").diario] == ["INICIADA", "PEDIDO", "PLAZO_VENCIDO", "COMPENSACION_PEDIDA"]


def test_lo_que_ya_se_movio_no_vence(sistema: Sistema) -> None:
    llega(sistema, ViajePedido(id_viaje="a", monto=1))
    vencidas(sistema)
    llega(sistema, Pagado(id_viaje="a"))
    assert not sistema.en_transaccion(lambda t: t.ambito.get(SagasSQLAlchemy).vencer("viaje", "a"))
    assert not sistema.en_transaccion(lambda t: t.ambito.get(SagasSQLAlchemy).vencer("viaje", "no está"))
    assert mandados(sistema) == ["Pagar", "Reservar"]


def test_la_que_no_se_puede_mover_se_aparta_sin_retener_a_las_demas(base: str) -> None:
    def devolver(comando: DevolverPago, despachador: Despachador) -> None:
        if comando.id_viaje == "malo":
            raise ZeroDivisionError
        despachador.publicar({}, topico="t", clave=comando.id_viaje, tipo="DevolverPago")

    sistema = armar(base, comandos={DevolverPago: devolver})
    for id in ("malo", "bueno"):
        llega(sistema, ViajePedido(id_viaje=id, monto=1))
    vencidas(sistema)
    temporizador = Temporizador(sistema)
    assert [temporizador.vuelta(), temporizador.vuelta()] == [2, 0]
    assert mandados(sistema, "bueno") == ["Pagar", "DevolverPago"]
    assert ver(sistema, "malo").saga.estado == "EN_CURSO"
    assert ver(sistema, "malo").saga.vence is not None
    sistema.cerrar()


def vence(sistema: Sistema, id: str) -> None:
    """Como si el plazo de esa hubiera pasado ya."""
    assert sistema.motor is not None
    with sistema.motor.begin() as conexion:
        conexion.execute(update(sagas).where(sagas.c.clave == id).values(vence_ms=1))


def hace(sistema: Sistema, segundos: float) -> None:
    """Como si todo lo que hay hubiera pasado esos segundos antes, y el plazo de `a` hubiera vencido."""
    assert sistema.motor is not None
    ms = round(segundos * 1000)
    with sistema.motor.begin() as conexion:
        conexion.execute(update(sagas_diario).values(fecha_ms=sagas_diario.c.fecha_ms - ms))
        conexion.execute(update(sagas).values(actualizada_ms=sagas.c.actualizada_ms - ms))
    vence(sistema, "a")


@EN_AMBAS
def test_un_plazo_no_vence_mientras_los_demas_tardan_lo_mismo(sistema: Sistema) -> None:
    llega(sistema, ViajePedido(id_viaje="a", monto=1), ViajePedido(id_viaje="b", monto=1))
    hace(sistema, 40)
    llega(sistema, Pagado(id_viaje="b"))
    temporizador = Temporizador(sistema)
    assert [temporizador.vuelta(), temporizador.vuelta()] == [1, 0]
    assert mandados(sistema, "a") == ["Pagar"]
    falta = ver(sistema, "a").saga.vence - datetime.now(UTC)  # type: ignore[operator]
    assert 3 < falta.total_seconds() <= 5  # se mira otra vez enseguida: los demás pueden dejar de tardar

    hace(sistema, 20)
    temporizador.vuelta()
    assert mandados(sistema, "a") == ["Pagar"]
    llega(sistema, Pagado(id_viaje="a"))
    assert mandados(sistema, "a") == ["Pagar", "Reservar"]


@EN_AMBAS
@pytest.mark.parametrize(("pago", "despues_s"), [(40, 29), (20, 10)], ids=["hace mucho", "más deprisa"])
def test_un_plazo_vence_si_los_demas_ya_no_tardan_tanto(sistema: Sistema, pago: float, despues_s: float) -> None:
    llega(sistema, ViajePedido(id_viaje="a", monto=1), ViajePedido(id_viaje="b", monto=1))
    hace(sistema, pago)
    llega(sistema, Pagado(id_viaje="b"))
    hace(sistema, despues_s)
    temporizador = Temporizador(sistema)
    temporizador.vuelta()
    assert mandados(sistema, "a") == ["Pagar"]
    hace(sistema, despues_s + 1)
    temporizador.vuelta()
    assert mandados(sistema, "a") == ["Pagar", "DevolverPago"]


@EN_AMBAS
def test_lo_que_tarda_otro_paso_no_alarga_ningun_plazo(sistema: Sistema) -> None:
    llega(sistema, ViajePedido(id_viaje="b", monto=1), Pagado(id_viaje="b"))
    hace(sistema, 40)
    llega(sistema, ViajePedido(id_viaje="a", monto=1), Reservado(id_viaje="b"))
    hace(sistema, 1)
    Temporizador(sistema).vuelta()
    assert mandados(sistema, "a") == ["Pagar", "DevolverPago"]


@EN_AMBAS
def test_lo_que_respondio_tarde_tambien_dice_cuanto_se_tarda(sistema: Sistema) -> None:
    llega(sistema, ViajePedido(id_viaje="a", monto=1))
    hace(sistema, 40)
    Temporizador(sistema).vuelta()
    llega(sistema, ViajePedido(id_viaje="b", monto=1))
    llega(sistema, Pagado(id_viaje="a"))
    vence(sistema, "b")
    Temporizador(sistema).vuelta()
    assert mandados(sistema, "b") == ["Pagar"]


@EN_AMBAS
def test_una_compensacion_no_se_repite_mientras_las_demas_tardan_lo_mismo(sistema: Sistema) -> None:
    for id in ("a", "b"):
        llega(sistema, ViajePedido(id_viaje=id, monto=1), Pagado(id_viaje=id), SinPlazas(id_viaje=id))
    hace(sistema, 15)
    llega(sistema, PagoDevuelto(id_viaje="b"))
    Temporizador(sistema).vuelta()
    assert mandados(sistema, "a") == ["Pagar", "Reservar", "DevolverPago"]
    hace(sistema, 16)
    Temporizador(sistema).vuelta()
    assert mandados(sistema, "a") == ["Pagar", "Reservar", "DevolverPago", "DevolverPago"]


async def test_al_arrancar_se_atiende_antes_lo_que_esperaba_que_los_plazos(sistema: Sistema) -> None:
    llega(sistema, ViajePedido(id_viaje="a", monto=1))
    vencidas(sistema)
    temporizador = Temporizador(sistema)
    corriendo = asyncio.create_task(temporizador.correr())
    await asyncio.sleep(ARRANQUE_S / 2)
    await asyncio.to_thread(llega, sistema, Pagado(id_viaje="a"))
    await asyncio.sleep(ARRANQUE_S)
    temporizador.parar()
    await corriendo
    assert mandados(sistema, "a") == ["Pagar", "Reservar"]


@EN_AMBAS
def test_una_compensacion_que_nadie_responde_detiene_la_saga_a_la_vista_y_se_reanuda(sistema: Sistema) -> None:
    llega(sistema, ViajePedido(id_viaje="otra", monto=1), ViajePedido(id_viaje="a", monto=1), Pagado(id_viaje="a"))
    llega(sistema, SinPlazas(id_viaje="a"))
    temporizador = Temporizador(sistema)
    for _ in range(3):
        vence(sistema, "a")
        temporizador.vuelta()
    detenidas = sistema.ejecutar(ListarSagas(estado=EstadoSaga.DETENIDA)).sagas
    assert [(saga.clave, saga.motivo) for saga in detenidas] == [("a", "SinPlazas")]
    assert {saga.clave for saga in sistema.ejecutar(ListarSagas()).sagas} == {"a", "otra"}
    assert mandados(sistema, "a") == ["Pagar", "Reservar", *["DevolverPago"] * 3]
    assert "sin respuesta tras 3 intentos" in str(ver(sistema, "a").diario[-1].detalle)

    sistema.ejecutar(ReanudarSaga(saga="viaje", clave="a"))
    llega(sistema, PagoDevuelto(id_viaje="a"))
    assert mandados(sistema, "a")[-2:] == ["DevolverPago", "Cancelar"]
    with pytest.raises(SagaNoDetenida, match="sólo se reanuda una detenida"):
        sistema.ejecutar(ReanudarSaga(saga="viaje", clave="a"))
    with pytest.raises(NoEncontrado):
        sistema.ejecutar(ReanudarSaga(saga="viaje", clave="no está"))


@EN_AMBAS
def test_se_pasa_de_pagina_sin_repetir_ni_saltarse_ninguna(sistema: Sistema) -> None:
    for i in range(7):
        llega(sistema, ViajePedido(id_viaje=f"v/{i}", monto=1))
    assert sistema.motor is not None
    with sistema.motor.begin() as conexion:
        conexion.execute(update(sagas).values(actualizada_ms=5))  # a la vez: decide la clave
    claves: list[str] = []
    cursor: str | None = None
    while True:
        pagina = sistema.ejecutar(ListarSagas(saga="viaje", estado=EstadoSaga.EN_CURSO, limite=3, cursor=cursor))
        claves += [saga.clave for saga in pagina.sagas]
        cursor = pagina.siguiente
        if cursor is None:
            break
    assert claves == [f"v/{i}" for i in reversed(range(7))]
    assert sistema.ejecutar(ListarSagas(saga="otra")).sagas == ()


@pytest.mark.parametrize(
    "cursor", ["", "x", "ñ", "bnVsbA==", "WzEsMiwzXQ==", "W1sxXSwiYSIsImIiXQ==", "Wy0xLCJhIiwiYiJd"]
)
def test_un_cursor_que_nadie_dio_se_rechaza(sistema: Sistema, cursor: str) -> None:
    with pytest.raises(CursorInvalido, match="no es el de una página anterior"):
        sistema.ejecutar(ListarSagas(cursor=cursor))


# --- versiones --------------------------------------------------------------------------------------------------------

SIN_RESERVA = replace(VIAJE, pasos=[PAGAR, AVISAR], version=2)


def test_cada_saga_acaba_con_la_definicion_con_que_empezo(base: str) -> None:
    antes = armar(base)
    llega(antes, ViajePedido(id_viaje="vieja", monto=1))
    antes.cerrar()
    ahora = armar(base, VIAJE, SIN_RESERVA)
    llega(ahora, ViajePedido(id_viaje="nueva", monto=1), Pagado(id_viaje="vieja"), Pagado(id_viaje="nueva"))
    assert mandados(ahora, "vieja") == ["Pagar", "Reservar"]
    assert mandados(ahora, "nueva") == ["Pagar", "Avisar"]
    llega(ahora, Reservado(id_viaje="nueva"))  # su definición no lo escucha
    assert ver(ahora, "nueva").diario[-1].que == "IGNORADO"
    assert ver(ahora, "vieja").saga.version, ver(ahora, "nueva").saga.version == (1, 2)
    ahora.cerrar()


def test_una_saga_que_ya_no_empieza_deja_acabar_a_las_que_hay(base: str) -> None:
    antes = armar(base)
    llega(antes, ViajePedido(id_viaje="vieja", monto=1))
    antes.cerrar()
    ahora = armar(base, replace(VIAJE, empieza=False))
    llega(ahora, ViajePedido(id_viaje="nueva", monto=1), Pagado(id_viaje="nueva"), Pagado(id_viaje="vieja"))
    assert mandados(ahora) == ["Pagar", "Reservar"]
    assert [saga.clave for saga in ahora.ejecutar(ListarSagas()).sagas] == ["vieja"]
    ahora.cerrar()


def test_quitar_o_cambiar_la_definicion_de_sagas_en_curso_detiene_el_arranque(base: str) -> None:
    antes = armar(base)
    llega(antes, ViajePedido(id_viaje="vieja", monto=1), ViajePedido(id_viaje="otra", monto=1))
    with pytest.raises(
        DefinicionAusente, match="La versión 1 de la saga 'viaje' no está listada, y quedan 2 sin acabar"
    ):
        armar(base, SIN_RESERVA)
    with pytest.raises(DefinicionAusente, match="cambió sin cambiar de versión"):
        armar(base, replace(SIN_RESERVA, version=1))
    armar(base, replace(VIAJE, pasos=[con(PAGAR, plazo_s=1), *VIAJE.pasos[1:]])).cerrar()  # un plazo sí puede cambiar

    for id in ("vieja", "otra"):
        llega(antes, PagoNegado(id_viaje=id, motivo="x"))
    despues = armar(base, SIN_RESERVA)
    assert ver(despues, "vieja").saga.pasos[0].compensacion is None  # se ve aunque su definición ya no esté
    antes.cerrar()
    despues.cerrar()


def test_un_proceso_atrasado_no_se_come_el_evento_de_una_definicion_que_no_conoce(base: str) -> None:
    viejo, nuevo = armar(base), armar(base, VIAJE, SIN_RESERVA)
    llega(nuevo, ViajePedido(id_viaje="a", monto=1))
    with pytest.raises(DefinicionAusente, match="La versión 2"):
        llega(viejo, Pagado(id_viaje="a"))
    llega(nuevo, Pagado(id_viaje="a"))
    assert mandados(nuevo) == ["Pagar", "Avisar"]
    viejo.cerrar()
    nuevo.cerrar()


# --- inquilinos -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["postgres"], indirect=True)
def test_cada_inquilino_tiene_sus_sagas_y_sus_plazos(base: str) -> None:
    sistema = armar(base, schema=lambda: None, crear_schema=True)
    for schema in ("uno", "dos"):
        with en_nombre_de(schema=schema):
            llega(sistema, ViajePedido(id_viaje="a", monto=1))
    with en_nombre_de(schema="uno"):
        llega(sistema, Pagado(id_viaje="a"))
    vencidas(sistema)
    Temporizador(sistema).vuelta()
    with en_nombre_de(schema="uno"):
        assert ver(sistema, "a").saga.motivo == "Reservar no respondió en 20 s"
        assert len(sistema.ejecutar(ListarSagas()).sagas) == 1
    with en_nombre_de(schema="dos"):
        assert ver(sistema, "a").saga.motivo == "Pagar no respondió en 30 s"
    with sistema.motor.connect() as conexion:  # type: ignore[union-attr]
        assert conexion.execute(text("SELECT count(*) FROM uno.sagas")).scalar_one() == 0
    sistema.cerrar()


def test_los_comandos_de_la_saga_llevan_los_tipos_con_que_se_declararon(base: str) -> None:
    vistos: list[object] = []

    def pagar(comando: Pagar) -> None:
        vistos.append(comando)

    def cancelar(comando: Cancelar) -> None:
        vistos.append(comando)

    sistema = armar(base, comandos={Pagar: pagar, Cancelar: cancelar})
    llega(sistema, ViajePedido(id_viaje="a", monto=3), PagoNegado(id_viaje="a", motivo="no"))
    assert vistos == [Pagar(id_viaje="a", monto=3), Cancelar(id_viaje="a", motivo="no")]
    sistema.cerrar()

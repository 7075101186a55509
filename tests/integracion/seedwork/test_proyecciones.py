"""Reconstruir una proyección da la misma, mientras la viva se lee y se alimenta, y si algo falla nada cambió."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update
from tests.integracion.seedwork import movimientos
from tests.integracion.seedwork.bases import base_nueva
from tests.integracion.seedwork.movimientos import TOPICO, Movimiento, Vivas, al_aplicar, armar, mensaje, plegar, saldos

from seedwork import Mensajeria
from seedwork.infraestructura.inquilinos import Inquilinos
from seedwork.infraestructura.proyecciones import bitacora
from seedwork.infraestructura.proyecciones.estado import EstadoProyeccion, estados
from seedwork.infraestructura.proyecciones.reconstruccion import (
    Avance,
    BitacoraIncompleta,
    MensajeSinAplicar,
    reconstruir,
)
from seedwork.infraestructura.proyecciones.sombra import Sombra
from seedwork.infraestructura.proyecciones.turno import EnReconstruccion, TurnoPerdido
from seedwork.infraestructura.tablas import bitacora as tabla_bitacora
from seedwork.infraestructura.tablas import inbox, proyecciones

PLAZO_S = 30.0


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def de_todas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vivas]:
    """Una base para todas las pruebas; cada una la encuentra vacía."""
    with base_nueva(request.param, tmp_path_factory.mktemp("base")) as url:
        vivas = Vivas(armar(url))
        yield vivas
        vivas.cerrar()
        vivas.sistema.cerrar()


@pytest.fixture
def vivas(de_todas: Vivas) -> Iterator[Vivas]:
    yield de_todas
    al_aplicar.clear()
    tablas = (*movimientos.metadatos.sorted_tables, tabla_bitacora, inbox, proyecciones)
    escribir(de_todas, *[delete(tabla) for tabla in tablas])


def inquilinos(vivas: Vivas) -> Inquilinos:
    assert vivas.sistema.inquilinos is not None
    return vivas.sistema.inquilinos


def empezar(vivas: Vivas, nombre: str, **opciones: Any) -> Iterator[Avance]:
    return reconstruir(inquilinos(vivas), vivas.proyecciones[nombre], **opciones)


def rehacer(vivas: Vivas, nombre: str, **opciones: Any) -> Avance:
    return list(empezar(vivas, nombre, **opciones))[-1]


def estado(vivas: Vivas, nombre: str) -> EstadoProyeccion:
    (leido,) = estados(inquilinos(vivas), [vivas.proyecciones[nombre]])
    return leido


def escribir(vivas: Vivas, *sentencias: Any) -> None:
    assert vivas.sistema.motor is not None
    with vivas.sistema.motor.begin() as conexion:
        for sentencia in sentencias:
            conexion.execute(sentencia)


@pytest.mark.capacidad("X06")
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    historia=st.lists(st.tuples(st.sampled_from("abc"), st.integers(-9, 9)), max_size=12),
    repetidos=st.lists(st.integers(0, 11), max_size=4),
    adelanto=st.integers(0, 12),
)
def test_reconstruida_es_la_misma(
    vivas: Vivas, historia: list[tuple[str, int]], repetidos: list[int], adelanto: int
) -> None:
    """Cada ejemplo sigue la historia del anterior; `importes` recibe parte antes, y parte después de reconstruirse."""
    nuevos = [mensaje(*movimiento) for movimiento in historia]

    async def vivir() -> None:
        await vivas.alimentar("importes", *nuevos[:adelanto])
        await vivas.alimentar("saldos", *nuevos, *[nuevos[i] for i in repetidos if i < len(nuevos)])
        rehacer(vivas, "importes")
        await vivas.alimentar("importes", *nuevos)

    asyncio.run(vivir())
    antes = vivas.modelo()
    total = contados(vivas)
    assert antes == plegar(_anotados(vivas))
    for nombre in ("saldos", "importes"):
        assert rehacer(vivas, nombre) == Avance(total, total)
        assert vivas.modelo() == antes
        assert estado(vivas, nombre).pendientes == 0


def contados(vivas: Vivas) -> int:
    return len(_anotados(vivas))


def _anotados(vivas: Vivas) -> list[Any]:
    assert vivas.sistema.motor is not None
    with vivas.sistema.motor.connect() as conexion:
        return list(conexion.execute(select(tabla_bitacora).order_by(tabla_bitacora.c.secuencia)))


@pytest.mark.capacidad("X06")
async def test_corrige_lo_que_la_viva_tenia_mal(vivas: Vivas) -> None:
    mensajes = [mensaje("a", 9), mensaje("b", 7)]
    await vivas.alimentar("saldos", *mensajes)
    await vivas.alimentar("importes", *mensajes)
    escribir(vivas, text("DELETE FROM grandes"), text("UPDATE conteo SET n = 100"), update(saldos).values(saldo=0))
    rehacer(vivas, "importes")
    assert vivas.modelo() == {**plegar(mensajes), "saldos": [("a", 0, "9 "), ("b", 0, "7 ")]}
    rehacer(vivas, "saldos")
    assert vivas.modelo() == plegar(mensajes)


@pytest.mark.capacidad("X06")
async def test_lo_que_llega_mientras_se_reconstruye_se_cuenta_una_vez(
    vivas: Vivas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitacora, "LOTE", 7)
    cuentas = [f"c{n}" for n in range(5)]
    mensajes = {cuenta: [mensaje(cuenta, n % 9) for n in range(16)] for cuenta in cuentas}
    for cuenta in cuentas:
        await vivas.alimentar("saldos", *mensajes[cuenta][:4])
    acabo = asyncio.Event()

    async def seguir(nombre: str, cuenta: str) -> None:
        for cada in mensajes[cuenta]:
            await vivas.alimentar(nombre, cada)

    async def reconstruir_sin_parar(nombre: str) -> int:
        veces = 0
        while not acabo.is_set():
            await asyncio.to_thread(rehacer, vivas, nombre)
            veces += 1
        return veces

    rehechas = [asyncio.create_task(reconstruir_sin_parar(nombre)) for nombre in ("saldos", "importes")]
    await asyncio.gather(*(seguir(nombre, cuenta) for nombre in ("saldos", "importes") for cuenta in cuentas))
    acabo.set()
    assert min(await asyncio.gather(*rehechas)) > 0
    esperado = plegar([cada for de_una in mensajes.values() for cada in de_una])
    assert vivas.modelo() == esperado
    rehacer(vivas, "saldos")
    rehacer(vivas, "importes")
    assert vivas.modelo() == esperado


async def test_no_se_salta_lo_que_otro_esta_confirmando(vivas: Vivas) -> None:
    """Con una secuencia todavía sin confirmar, la siguiente ya se ve: la reconstrucción espera a la primera."""
    anotado, soltar = threading.Event(), threading.Event()

    def retener(movimiento: Movimiento, _sesion: Any) -> None:
        if movimiento.importe == 1 and not anotado.is_set():
            anotado.set()
            soltar.wait(PLAZO_S)

    al_aplicar.append(retener)
    primero = asyncio.create_task(vivas.alimentar("saldos", mensaje("a", 1)))
    await asyncio.to_thread(anotado.wait, PLAZO_S)
    segundo = asyncio.create_task(vivas.alimentar("saldos", mensaje("b", 2)))
    rehecha = asyncio.create_task(asyncio.to_thread(rehacer, vivas, "saldos"))
    _, esperan = await asyncio.wait([rehecha], timeout=0.5)
    assert rehecha in esperan
    soltar.set()
    async with asyncio.timeout(PLAZO_S):
        await asyncio.gather(primero, segundo, rehecha)
    assert vivas.modelo()["saldos"] == [("a", 1, "1 "), ("b", 2, "2 ")]


async def test_una_que_se_declara_despues_empieza_por_lo_que_otra_anoto(vivas: Vivas) -> None:
    mensajes = [mensaje("a", n) for n in range(1, 8)]
    await vivas.alimentar("saldos", *mensajes)
    assert (estado(vivas, "importes").aplicados, estado(vivas, "importes").pendientes) == (0, 7)
    rehacer(vivas, "importes")
    assert estado(vivas, "importes").pendientes == 0
    await vivas.alimentar("importes", *mensajes, nuevo := mensaje("a", 9))
    assert vivas.modelo()["conteo"] == plegar([*mensajes, nuevo])["conteo"]


@pytest.mark.capacidad("X06")
async def test_hasta_el_ultimo_instante_se_lee_la_de_antes(vivas: Vivas, monkeypatch: pytest.MonkeyPatch) -> None:
    await vivas.alimentar("saldos", mensaje("a", 1))
    escribir(vivas, update(saldos).values(saldo=99))
    leido: list[Any] = []
    sustituir = Sombra.sustituir

    def y_leer(sombra: Sombra, sesion: Any) -> None:
        sustituir(sombra, sesion)
        leido.append(vivas.sistema.leer(lambda ambito: ambito.get(movimientos.Session).execute(select(saldos)).all()))

    monkeypatch.setattr(Sombra, "sustituir", y_leer)
    leido += [vivas.modelo()["saldos"] for _ in empezar(vivas, "saldos")]
    assert leido.pop() == [("a", 1, "1 ")]
    assert leido == [[("a", 99, "1 ")]] * 3


async def test_mientras_se_aplica_un_lote_la_viva_se_alimenta_y_lo_nuevo_no_se_pierde(vivas: Vivas) -> None:
    await vivas.alimentar("saldos", mensaje("a", 1))
    alimentada = False

    def llega_otro(_movimiento: Movimiento, _sesion: Any) -> None:
        nonlocal alimentada
        al_aplicar.clear()
        hilo = threading.Thread(target=lambda: asyncio.run(vivas.alimentar("saldos", mensaje("b", 2))))
        hilo.start()
        hilo.join(5)
        alimentada = not hilo.is_alive()

    al_aplicar.append(llega_otro)
    assert await asyncio.to_thread(rehacer, vivas, "saldos") == Avance(2, 2)
    assert alimentada
    assert vivas.modelo()["saldos"] == [("a", 1, "1 "), ("b", 2, "2 ")]


async def test_mientras_una_reconstruye_otra_no_puede_y_al_dejarlo_si(vivas: Vivas) -> None:
    await vivas.alimentar("saldos", *[mensaje("a", n) for n in range(3)])
    primera = empezar(vivas, "saldos")
    next(primera)
    next(primera)
    assert estado(vivas, "saldos").reconstruyendo is not None
    with pytest.raises(EnReconstruccion, match="'saldos' ya se está reconstruyendo"):
        rehacer(vivas, "saldos")
    rehacer(vivas, "importes")
    escribir(vivas, update(saldos).values(saldo=99))
    primera.close()  # type: ignore[attr-defined]
    assert vivas.modelo()["saldos"] == [("a", 99, "0 1 2 ")]
    assert estado(vivas, "saldos").reconstruyendo is None
    rehacer(vivas, "saldos")
    assert vivas.modelo()["saldos"] == [("a", 3, "0 1 2 ")]


async def test_quien_se_durmio_y_perdio_el_turno_no_sustituye(vivas: Vivas) -> None:
    await vivas.alimentar("saldos", mensaje("a", 1))
    dormida = empezar(vivas, "saldos")
    next(dormida)
    escribir(vivas, update(proyecciones).values(vence_ms=0))
    otra = empezar(vivas, "saldos")
    next(otra)
    escribir(vivas, update(saldos).values(saldo=99))
    with pytest.raises(TurnoPerdido):
        list(dormida)
    assert vivas.modelo()["saldos"] == [("a", 99, "1 ")]
    list(otra)
    assert vivas.modelo()["saldos"] == [("a", 1, "1 ")]


async def test_un_mensaje_que_no_se_puede_aplicar_la_detiene_y_se_puede_omitir(vivas: Vivas) -> None:
    malo = mensaje("b", 6, id="malo")
    await vivas.alimentar("importes", mensaje("a", 1), malo, mensaje("b", 2))
    antes = vivas.modelo()

    def fallar(movimiento: Movimiento, _sesion: Any) -> None:
        if movimiento.importe == 6:
            raise RuntimeError("no sé de seises")

    al_aplicar.append(fallar)
    with pytest.raises(MensajeSinAplicar, match=r"malo de movimientos, .*'saldos': RuntimeError: no sé de seises"):
        rehacer(vivas, "saldos")
    assert vivas.modelo() == antes
    rehacer(vivas, "saldos", omitir=["malo"])
    assert vivas.modelo()["saldos"] == [("a", 1, "1 "), ("b", 2, "2 ")]
    al_aplicar.clear()
    await vivas.alimentar("saldos", malo)  # sale de las letras muertas, ya corregido
    assert vivas.modelo()["saldos"] == [("a", 1, "1 "), ("b", 8, "2 6 ")]


async def test_lo_que_ya_no_se_entiende_la_detiene_y_dice_cual(vivas: Vivas) -> None:
    await vivas.alimentar("saldos", mensaje("a", 1, id="viejo"), mensaje("a", 2))
    escribir(vivas, update(tabla_bitacora).where(tabla_bitacora.c.id == "viejo").values(cuerpo=b"\x00{"))
    antes = vivas.modelo()
    with pytest.raises(MensajeSinAplicar, match=r"El mensaje viejo de movimientos, .* MensajeInvalido"):
        rehacer(vivas, "saldos")
    assert vivas.modelo() == antes


async def test_si_la_bitacora_no_tiene_todo_no_se_pierde_sin_pedirlo(vivas: Vivas) -> None:
    await vivas.alimentar("saldos", mensaje("a", 1, id="m1"), mensaje("a", 2))
    escribir(vivas, delete(tabla_bitacora).where(tabla_bitacora.c.id == "m1"))
    antes = vivas.modelo()
    with pytest.raises(BitacoraIncompleta, match="'saldos' aplicó 1 mensajes que la bitácora no tiene"):
        rehacer(vivas, "saldos")
    assert vivas.modelo() == antes
    rehacer(vivas, "saldos", aunque_falten=True)
    assert vivas.modelo()["saldos"] == [("a", 2, "2 ")]


async def test_un_lote_cabe_en_memoria_aunque_sus_mensajes_sean_enormes(vivas: Vivas) -> None:
    fila = {"topico": TOPICO, "cabeceras": {}, "fecha_ms": 0}
    escribir(vivas, *[insert(tabla_bitacora).values(**fila, id=f"m{n}", cuerpo=bytes(3_000_000)) for n in range(7)])
    desde, lotes = 0, []
    with movimientos.Session(vivas.sistema.motor) as sesion:
        while lote := bitacora.leer(sesion, [TOPICO], desde, 10**9):
            lotes.append(len(lote))
            desde = lote[-1].secuencia
    assert lotes == [3, 3, 1]


async def test_por_el_broker_cada_mensaje_queda_intacto_en_la_bitacora_y_en_las_dos(
    vivas: Vivas, tmp_path: Path
) -> None:
    mensajes = [mensaje(cuenta, n) for n in range(5) for cuenta in "ab"]
    async with Mensajeria(f"embebido:///{tmp_path}/b.db", bus=vivas.sistema) as mensajeria, asyncio.timeout(PLAZO_S):
        await mensajeria.broker.publicar([*mensajes, *mensajes])
        while vivas.modelo() != plegar(mensajes):
            await asyncio.sleep(0.05)
    leidos = {fila.id: (fila.clave, fila.cabeceras, bytes(fila.cuerpo)) for fila in _anotados(vivas)}
    assert leidos == {m.cabeceras["id"]: (m.clave, m.cabeceras, m.cuerpo) for m in mensajes}
    with movimientos.Session(vivas.sistema.motor) as sesion:
        assert sesion.execute(select(func.count()).select_from(inbox)).scalar_one() == 2 * len(mensajes)


async def test_un_mensaje_sin_id_va_a_las_letras_muertas(vivas: Vivas, tmp_path: Path) -> None:
    sin_id = movimientos.Mensaje(topico=TOPICO, cuerpo=b'{"cuenta": "a", "importe": 1}')
    async with Mensajeria(f"embebido:///{tmp_path}/b.db", bus=vivas.sistema) as mensajeria, asyncio.timeout(PLAZO_S):
        await mensajeria.broker.publicar([sin_id])
        while len(letras := await mensajeria.broker.letras_muertas.listar()) < 2:
            await asyncio.sleep(0.02)
    assert all("no trae id" in letra.motivo for letra in letras)
    assert not _anotados(vivas)

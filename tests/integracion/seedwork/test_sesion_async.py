"""`AsyncSession` en un handler: efecto, inbox y lo devuelto, en una transacción; en SQLite y en PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from tests.integracion.seedwork.bases import EN_AMBAS

from seedwork import Comando, ErrorDeArranque, Mensaje, Mensajeria, Modulo, Reintentos, bootstrap, conectar
from seedwork.infraestructura.base_datos import TransaccionAnidada, crear_motor
from seedwork.infraestructura.brokers import Broker
from seedwork.infraestructura.codificacion import codificar_evento
from seedwork.infraestructura.sesion_async import BaseAsincrona

PLAZO_S = 20.0


class Pedido(BaseModel):
    id: int


class Puerto: ...


class Repositorio:
    def __init__(self, db: Session) -> None: ...


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"embebido:///{tmp_path}/broker.db"


@pytest.fixture
async def broker(url: str) -> AsyncIterator[Broker]:
    broker = conectar(url)
    yield broker
    await broker.cerrar()


async def hasta(condicion: Callable[[], Any]) -> Any:
    """Pregunta desde un hilo: lo que espera a la base no puede hacerlo en el event loop que la tiene tomada."""
    async with asyncio.timeout(PLAZO_S):
        while not (valor := await asyncio.to_thread(condicion)):
            await asyncio.sleep(0.01)
        return valor


def pedido(id: int, id_mensaje: str | None = None) -> Mensaje:
    return codificar_evento("pedido", {"id": id}, servicio="prueba", id=id_mensaje)


def con_tabla(mensajeria: Mensajeria) -> None:
    mensajeria.sistema.en_transaccion(
        lambda t: t.ambito.get(Session).execute(text("CREATE TABLE IF NOT EXISTS efectos (id INTEGER)"))
    )


def efectos(mensajeria: Mensajeria) -> list[int]:
    return mensajeria.sistema.leer(
        lambda ambito: list(ambito.get(Session).execute(text("SELECT id FROM efectos ORDER BY id")).scalars())
    )


def cuenta(mensajeria: Mensajeria, tabla: str) -> int:
    return mensajeria.sistema.leer(
        lambda ambito: ambito.get(Session).execute(text(f"SELECT count(*) FROM {tabla}")).scalar_one()  # noqa: S608
    )


async def apuntar(db: AsyncSession, id: int) -> None:
    await db.execute(text("INSERT INTO efectos VALUES (:id)"), {"id": id})


@EN_AMBAS
async def test_lo_entregado_dos_veces_tiene_un_solo_efecto_y_sus_eventos_salen_por_el_outbox(
    url: str, base: str, broker: Broker
) -> None:
    mensajeria, llamadas = Mensajeria(url, base_datos=base, servicio="s"), []

    @mensajeria.on_event("pedido")
    async def atender(pedido: Pedido, db: AsyncSession) -> list[dict[str, Any]]:
        llamadas.append(pedido.id)
        await apuntar(db, pedido.id)
        assert (await db.execute(text("SELECT count(*) FROM inbox"))).scalar_one() >= 1
        return [{"name": "hecho", "payload": {"id": pedido.id}}]

    hechos = await broker.suscribir("prueba", ["hecho"])
    async with mensajeria:
        con_tabla(mensajeria)
        await broker.publicar([pedido(1, "fijo"), pedido(1, "fijo"), pedido(2), pedido(1, "fijo")])
        recibidos: list[Any] = []
        async with asyncio.timeout(PLAZO_S):
            while len(recibidos) < 2:
                recibidos += await hechos.recibir(10)
        await hasta(lambda: efectos(mensajeria) == [1, 2])
        assert cuenta(mensajeria, "inbox") == 2
    assert sorted(llamadas) == [1, 2]
    assert len(recibidos) == 2


@EN_AMBAS
async def test_un_error_no_deja_ni_efecto_ni_entrada_ni_evento_y_el_reintento_si(
    url: str, base: str, broker: Broker
) -> None:
    mensajeria, intentos = Mensajeria(url, base_datos=base), []

    @mensajeria.on_event("pedido", reintentos=Reintentos(maximo=1, espera_s=0))
    async def falla_la_primera(pedido: Pedido, db: AsyncSession) -> None:
        intentos.append((pedido.id, (await db.execute(text("SELECT count(*) FROM efectos"))).scalar_one()))
        await apuntar(db, pedido.id)
        if len(intentos) == 1:
            raise RuntimeError("a medias")

    async with mensajeria:
        con_tabla(mensajeria)
        await broker.publicar([pedido(1)])
        await hasta(lambda: efectos(mensajeria) == [1])
        assert (cuenta(mensajeria, "inbox"), cuenta(mensajeria, "outbox")) == (1, 0)
    assert intentos == [(1, 0), (1, 0)]


@EN_AMBAS
async def test_muchos_a_la_vez_con_sesiones_de_las_dos_clases_escriben_todos_sin_bloquear_el_event_loop(
    url: str, base: str, broker: Broker
) -> None:
    mensajeria, atrasos = Mensajeria(url, base_datos=base), []

    @mensajeria.on_event("pedido", use_case_name="asincrono")
    async def asincrono(pedido: Pedido, db: AsyncSession) -> None:
        await apuntar(db, pedido.id)
        await asyncio.sleep(0.005)

    @mensajeria.on_event("pedido", use_case_name="sincrono")
    def sincrono(pedido: Pedido, db: Session) -> None:
        db.execute(text("INSERT INTO efectos VALUES (:id)"), {"id": 1000 + pedido.id})

    async def latir() -> None:
        while True:
            antes = asyncio.get_running_loop().time()
            await asyncio.sleep(0.01)
            atrasos.append(asyncio.get_running_loop().time() - antes - 0.01)

    async with mensajeria:
        con_tabla(mensajeria)
        latido = asyncio.create_task(latir())
        await broker.publicar([pedido(id) for id in range(60)])
        await hasta(lambda: len(efectos(mensajeria)) == 120)
        latido.cancel()
        assert efectos(mensajeria) == [*range(60), *range(1000, 1060)]
    assert max(atrasos) < 1


@dataclass(frozen=True, kw_only=True)
class Apuntar(Comando[None]):
    id: int


def ejecutar_apuntar(comando: Apuntar, db: Session) -> None:
    db.execute(text("INSERT INTO efectos VALUES (:id)"), {"id": comando.id})


@EN_AMBAS
async def test_un_comando_devuelto_se_ejecuta_en_la_misma_transaccion(url: str, base: str, broker: Broker) -> None:
    bus = bootstrap([Modulo(nombre="m", comandos={Apuntar: ejecutar_apuntar})], base_datos=base)
    mensajeria, intentos = Mensajeria(url, bus=bus), []

    @mensajeria.on_event("pedido")
    async def traducir(pedido: Pedido, db: AsyncSession) -> list[Any]:
        intentos.append(pedido.id)
        await apuntar(db, pedido.id)
        return [Apuntar(id=pedido.id + 100), *([] if len(intentos) > 1 else ["no es un evento"])]

    async with mensajeria:
        con_tabla(mensajeria)
        await broker.publicar([pedido(1)])
        letras = []
        async with asyncio.timeout(PLAZO_S):
            while not letras:
                letras = await broker.letras_muertas.listar()
                await asyncio.sleep(0.01)
        assert await asyncio.to_thread(efectos, mensajeria) == [], "lo que devolvió no servía: nada queda"
        await broker.letras_muertas.reenviar(letras[0].id)
        await hasta(lambda: efectos(mensajeria) == [1, 101])
    bus.cerrar()


@pytest.mark.parametrize("con_otro_hilo_en_fila", [False, True])
async def test_una_llamada_sincrona_en_el_event_loop_de_quien_escribe_se_rechaza_en_vez_de_pararlo(
    url: str, base: str, broker: Broker, con_otro_hilo_en_fila: bool
) -> None:
    bus = bootstrap([Modulo(nombre="m", comandos={Apuntar: ejecutar_apuntar})], base_datos=base)
    mensajeria, rechazos, tardo_s, en_fila = Mensajeria(url, bus=bus), [], [], []

    @mensajeria.on_event("pedido")
    async def atender(pedido: Pedido, db: AsyncSession) -> None:
        await apuntar(db, pedido.id)
        if con_otro_hilo_en_fila:
            en_fila.append(asyncio.create_task(asyncio.to_thread(bus.ejecutar, Apuntar(id=4))))
            await asyncio.sleep(0.3)  # ya tiene el turno, y espera el archivo
        desde = time.monotonic()
        try:
            bus.ejecutar(Apuntar(id=2))
        except TransaccionAnidada as error:
            rechazos.append(str(error))
        tardo_s.append(time.monotonic() - desde)

    async with mensajeria:
        await asyncio.to_thread(con_tabla, mensajeria)
        await broker.publicar([pedido(1)])
        await hasta(lambda: 1 in efectos(mensajeria))
        await asyncio.gather(*en_fila)
        bus.ejecutar(Apuntar(id=3))  # ya no hay quien escriba: desde el event loop también se puede
        esperados = [1, 3, 4] if con_otro_hilo_en_fila else [1, 3]
        assert await asyncio.to_thread(efectos, mensajeria) == esperados
    bus.cerrar()
    assert len(rechazos) == 1
    assert "ejecutar_async" in rechazos[0]
    assert tardo_s[0] < 5


async def test_lo_ya_confirmado_no_estorba_a_una_llamada_sincrona_aunque_su_conexion_siga_en_uso(base: str) -> None:
    motor, con_el_turno = crear_motor(base), threading.Event()
    asincrona = BaseAsincrona(motor)

    def tener_el_turno() -> None:
        with motor.begin() as conexion:
            con_el_turno.set()
            conexion.execute(text("SELECT 1"))
            time.sleep(0.3)

    def escribir_y_seguir() -> None:
        with asincrona.motor_de(motor).connect() as conexion:
            conexion.execute(text("CREATE TABLE efectos (id INTEGER)"))
            conexion.commit()
            hilo = threading.Thread(target=tener_el_turno)
            hilo.start()
            con_el_turno.wait()
            with motor.begin() as sincrona:  # en el event loop, y espera a la de ese hilo
                sincrona.execute(text("INSERT INTO efectos VALUES (1)"))
            hilo.join()

    await asincrona.correr(escribir_y_seguir)
    await asincrona.cerrar()
    with motor.begin() as conexion:
        assert conexion.execute(text("SELECT count(*) FROM efectos")).scalar_one() == 1
    motor.dispose()


async def test_parado_a_medias_no_deja_nada_y_vuelve_a_entregarse(url: str, base: str, broker: Broker) -> None:
    mensajeria, empezado = Mensajeria(url, base_datos=base), asyncio.Event()

    @mensajeria.on_event("pedido")
    async def colgado(pedido: Pedido, db: AsyncSession) -> None:
        await apuntar(db, pedido.id)
        if not empezado.is_set():
            empezado.set()
            await asyncio.Event().wait()

    await mensajeria.start()
    con_tabla(mensajeria)
    await broker.publicar([pedido(1)])
    await empezado.wait()
    await mensajeria.stop(gracia_s=0.1)

    async with mensajeria:
        await hasta(lambda: efectos(mensajeria) == [1])


# --- errores al declarar y al arrancar ------------------------------------------------------------------------------


def test_en_un_def_es_un_error_al_declarar(url: str) -> None:
    mensajeria = Mensajeria(url)

    with pytest.raises(ErrorDeArranque, match=r"sincrono.*AsyncSession.*async def"):

        @mensajeria.on_event("pedido")
        def sincrono(pedido: Pedido, db: AsyncSession) -> None: ...


async def test_sin_base_de_datos_es_un_error_al_arrancar(url: str) -> None:
    mensajeria = Mensajeria(url)

    @mensajeria.on_event("pedido")
    async def atender(pedido: Pedido, db: AsyncSession) -> None: ...

    with pytest.raises(ErrorDeArranque, match=r"atender.*AsyncSession.*base_datos"):
        await mensajeria.start()


async def test_junto_a_algo_de_la_sesion_sincrona_es_un_error_al_arrancar_que_lo_nombra(url: str, base: str) -> None:
    mensajeria = Mensajeria(url, base_datos=base, puertos={Repositorio: Repositorio, Puerto: Puerto()})

    @mensajeria.on_event("pedido")
    async def atender(pedido: Pedido, puerto: Puerto, db: AsyncSession, repositorio: Repositorio) -> None: ...

    with pytest.raises(ErrorDeArranque, match=r"atender.*AsyncSession.*Repositorio"):
        await mensajeria.start()


async def test_un_puerto_del_proceso_convive_con_la_sesion(url: str, base: str, broker: Broker) -> None:
    puerto = Puerto()
    mensajeria, vistos = Mensajeria(url, base_datos=base, puertos={Puerto: puerto}), []

    @mensajeria.on_event("pedido")
    async def atender(pedido: Pedido, puerto: Puerto, db: AsyncSession) -> None:
        vistos.append(puerto)

    async with mensajeria:
        await broker.publicar([pedido(1)])
        await hasta(lambda: vistos == [puerto])

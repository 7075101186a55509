"""`Mensajeria` con base y sin ella: efectos, eventos que salen con el acuse, arranque, parada y errores."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from seedwork import Comando, ErrorDeArranque, Evento, Mensaje, Mensajeria, Modulo, Reintentos, bootstrap, conectar
from seedwork.infraestructura.brokers import Broker, ErrorBroker
from seedwork.infraestructura.brokers.embebido.almacen import Almacen
from seedwork.infraestructura.codificacion import codificar_evento, decodificar
from seedwork.infraestructura.dependencias import PuertoSinProveedor
from seedwork.infraestructura.mensajeria import ConsumidorRepetido

PLAZO_S = 10.0
SIN_REINTENTOS = Reintentos(maximo=0)


class Pedido(BaseModel):
    id: int


class Correos:
    def __init__(self) -> None:
        self.enviados: list[str] = []


class Puerto: ...


@dataclass
class Raro:
    hilo: threading.Thread


@pytest.fixture(autouse=True)
def registro() -> Iterator[list[Any]]:
    with capture_logs() as registro:
        yield registro


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"embebido:///{tmp_path}/broker.db"


@pytest.fixture
def base(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/base.db"


@pytest.fixture
async def broker(url: str) -> AsyncIterator[Broker]:
    broker = conectar(url)
    yield broker
    await broker.cerrar()


async def hasta(condicion: Callable[[], Any]) -> None:
    async with asyncio.timeout(PLAZO_S):
        while not condicion():
            await asyncio.sleep(0.01)


async def letra_de(broker: Broker) -> Any:
    async with asyncio.timeout(PLAZO_S):
        while not (letras := await broker.letras_muertas.listar()):
            await asyncio.sleep(0.01)
    return letras[0]


async def llegan(broker: Broker, topico: str, cuantos: int) -> list[Mensaje]:
    suscripcion = await broker.suscribir(f"prueba-{topico}", [topico])
    recibidos: list[Mensaje] = []
    async with asyncio.timeout(PLAZO_S):
        while len(recibidos) < cuantos:
            recibidos += [entrega.mensaje for entrega in await suscripcion.recibir(100)]
    await suscripcion.cerrar()
    return recibidos


def evento(nombre: str, datos: Any, id: str | None = None, clave: str | None = None) -> Mensaje:
    return codificar_evento(nombre, datos, servicio="prueba", id=id, clave=clave)


def con_tabla(mensajeria: Mensajeria) -> None:
    mensajeria.sistema.en_transaccion(
        lambda t: t.ambito.get(Session).execute(text("CREATE TABLE IF NOT EXISTS efectos (id INTEGER)"))
    )


def efectos(mensajeria: Mensajeria) -> list[int]:
    return mensajeria.sistema.leer(
        lambda ambito: [fila[0] for fila in ambito.get(Session).execute(text("SELECT id FROM efectos ORDER BY id"))]
    )


def apuntar(db: Session, id: int) -> None:
    db.execute(text("INSERT INTO efectos VALUES (:id)"), {"id": id})


# --- con base -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clave", [None, "p"], ids=["a la vez", "en orden"])
@pytest.mark.parametrize("asincrono", [False, True])
async def test_lo_entregado_dos_veces_tiene_un_solo_efecto_y_publica_una_sola_vez(
    url: str, base: str, broker: Broker, asincrono: bool, clave: str | None
) -> None:
    mensajeria = Mensajeria(url, base_datos=base, servicio="s")
    llamadas: list[int] = []

    def atender(pedido: Pedido, db: Session) -> list[dict[str, Any]]:
        llamadas.append(pedido.id)
        apuntar(db, pedido.id)
        return [{"name": "hecho", "payload": {"id": pedido.id}, "key": "k"}]

    async def atender_async(pedido: Pedido, db: Session) -> list[dict[str, Any]]:
        return atender(pedido, db)

    mensajeria.on_event("pedido")(atender_async if asincrono else atender)
    repetido = evento("pedido", {"id": 1}, id="fijo", clave=clave)
    async with mensajeria:
        con_tabla(mensajeria)
        await broker.publicar([repetido, repetido, evento("pedido", {"id": 2}, clave=clave), repetido])
        hechos = await llegan(broker, "hecho", 2)
        await asyncio.sleep(0.1)
        assert efectos(mensajeria) == [1, 2]

    ids = [decodificar(m, Pedido).id for m in hechos]
    assert (ids if clave else sorted(ids)) == [1, 2]  # sin clave no hay orden prometido
    assert [(m.clave, m.cabeceras["source"]) for m in hechos] == [("k", "s")] * 2
    assert sorted(llamadas) == [1, 2]


@pytest.mark.parametrize("asincrono", [False, True])
async def test_un_error_dentro_de_la_transaccion_no_deja_nada(
    url: str, base: str, broker: Broker, asincrono: bool
) -> None:
    mensajeria = Mensajeria(url, base_datos=base)

    def falla(pedido: Pedido, db: Session) -> None:
        apuntar(db, pedido.id)
        raise RuntimeError("a medias")

    async def falla_async(pedido: Pedido, db: Session) -> None:
        falla(pedido, db)

    mensajeria.on_event("pedido", reintentos=SIN_REINTENTOS)(falla_async if asincrono else falla)
    async with mensajeria:
        con_tabla(mensajeria)
        await broker.publicar([evento("pedido", {"id": 1})])
        letra = await letra_de(broker)
        filas = mensajeria.sistema.leer(
            lambda a: [a.get(Session).execute(text(f"SELECT count(*) FROM {t}")).scalar() for t in ("inbox", "outbox")]  # noqa: S608
        )
        assert (efectos(mensajeria), filas) == ([], [0, 0])
    assert letra.motivo == "RuntimeError: a medias"


async def test_un_mensaje_ajeno_sin_id_tambien_se_atiende_con_sesion(url: str, base: str, broker: Broker) -> None:
    mensajeria = Mensajeria(url, base_datos=base)

    @mensajeria.message_handler("pedidos")
    def atender(pedido: Pedido, db: Session) -> None:
        apuntar(db, pedido.id)

    async with mensajeria:
        con_tabla(mensajeria)
        await broker.publicar([Mensaje(topico="pedidos", cuerpo=b'{"id": 7}')])
        await hasta(lambda: efectos(mensajeria) == [7])


@pytest.mark.parametrize("nombre", ["atiende_stop", "cancela"])
async def test_un_handler_sincrono_que_falla_de_forma_rara_no_atasca_su_mensaje(
    url: str, base: str, broker: Broker, nombre: str
) -> None:
    mensajeria = Mensajeria(url, base_datos=base)

    @mensajeria.on_event("pedido", reintentos=SIN_REINTENTOS)
    def raro(pedido: Pedido, db: Session) -> None:
        if nombre == "cancela":
            raise asyncio.CancelledError
        next(iter([]))

    async with mensajeria:
        await broker.publicar([evento("pedido", {"id": 1})])
        await letra_de(broker)


@dataclass(frozen=True, kw_only=True)
class Apuntar(Comando[None]):
    id: int


def ejecutar_apuntar(comando: Apuntar, db: Session) -> None:
    apuntar(db, comando.id)


async def test_un_consumidor_que_devuelve_un_comando_lo_ejecuta_una_sola_vez(
    url: str, base: str, broker: Broker
) -> None:
    bus = bootstrap([Modulo(nombre="m", comandos={Apuntar: ejecutar_apuntar})], base_datos=base)
    mensajeria = Mensajeria(url, bus=bus)

    @mensajeria.on_event("pedido")
    async def traducir(pedido: Pedido) -> Apuntar:
        return Apuntar(id=pedido.id)

    async with mensajeria:
        con_tabla(mensajeria)
        await broker.publicar([evento("pedido", {"id": 5}, id="x")] * 2)
        await broker.publicar([evento("pedido", {"id": 6})])
        await hasta(lambda: efectos(mensajeria) == [5, 6])
    bus.cerrar()


async def test_la_clase_consumidora_recibe_sus_puertos_y_una_sesion_por_tipo(
    url: str, base: str, broker: Broker
) -> None:
    correos = Correos()
    mensajeria = Mensajeria(url, base_datos=base, puertos={Correos: correos})

    @mensajeria.consumer("grupo", topics="eventos-usuario")
    class AlUsuario:
        def __init__(self, correos: Correos) -> None:
            self.correos = correos

        @mensajeria.on_event("user.created")
        async def bienvenida(self, evento: Evento, db: Session) -> None:
            apuntar(db, evento.data["id"])
            self.correos.enviados.append(f"{evento.name} {evento.source}")

        @mensajeria.on_event("user.*")
        def todos(self, evento: Evento) -> None:
            self.correos.enviados.append("todos")

    async with mensajeria:
        con_tabla(mensajeria)
        for nombre in ("user.created", "otro", "user.deleted"):
            await mensajeria.publish_event(nombre, {"id": 3}, topic="eventos-usuario", key_field="id")
        await hasta(lambda: len(correos.enviados) == 3)
        assert efectos(mensajeria) == [3]
    assert correos.enviados == ["user.created seedwork", "todos", "todos"]
    assert AlUsuario is not None


async def test_new_event_con_base_queda_en_el_outbox_y_desde_el_loop_no_lo_bloquea(
    url: str, base: str, broker: Broker
) -> None:
    mensajeria = Mensajeria(url, base_datos=base)
    async with mensajeria:
        con_tabla(mensajeria)
        with mensajeria.sistema.transaccion() as abierta:
            apuntar(abierta.ambito.get(Session), 1)  # la base, ocupada
            empezo = time.monotonic()
            mensajeria.new_event("nuevo", {"id": 1})
            assert time.monotonic() - empezo < 0.5
        await asyncio.to_thread(mensajeria.new_event, "nuevo", Pedido(id=2))
        assert len(await llegan(broker, "nuevo", 2)) == 2


# --- sin base -------------------------------------------------------------------------------------------------------


async def test_sin_base_lo_que_devuelve_un_handler_se_publica_antes_del_acuse(
    url: str, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    mensajeria, pasos = Mensajeria(url, servicio="s"), []

    @mensajeria.on_event("pedido")
    async def atender(pedido: Pedido) -> list[dict[str, Any]]:
        return [{"name": "hecho", "payload": {"id": pedido.id}}]

    async with mensajeria:
        entero = type(mensajeria.broker).hacer

        async def hacer(self: Any, funcion: Any, *argumentos: Any) -> Any:
            resultado = await entero(self, funcion, *argumentos)
            if self is mensajeria.broker and funcion in (Almacen.publicar, Almacen.confirmar):
                pasos.append(funcion.__name__)
            return resultado

        monkeypatch.setattr(type(mensajeria.broker), "hacer", hacer)
        await broker.publicar([evento("pedido", {"id": 1}, id="x")])
        await hasta(lambda: len(pasos) == 2)
        await broker.publicar([evento("pedido", {"id": 1}, id="x")])
        hechos = await llegan(broker, "hecho", 2)
    assert pasos[:2] == ["publicar", "confirmar"]
    assert {m.cabeceras["id"] for m in hechos} == {hechos[0].cabeceras["id"]}, "repetir la entrada repite el id"


async def test_devolver_algo_que_no_es_un_evento_se_dice_en_la_letra_muerta(url: str, broker: Broker) -> None:
    mensajeria = Mensajeria(url)

    @mensajeria.on_event("pedido")
    async def atender(pedido: Pedido) -> int:
        return 3

    async with mensajeria:
        await broker.publicar([evento("pedido", {"id": 1})])
        letra = await letra_de(broker)
    assert "devolvió int" in letra.motivo
    assert letra.intentos == 1


async def test_un_mensaje_que_no_es_del_tipo_va_a_las_letras_muertas_y_los_demas_siguen(
    url: str, broker: Broker
) -> None:
    mensajeria, vistos = Mensajeria(url), []

    @mensajeria.message_handler("pedidos", max_retries=9, retry_delay=99)
    async def atender(pedido: Pedido) -> None:
        vistos.append(pedido.id)

    async with mensajeria:
        await broker.publicar([Mensaje(topico="pedidos", cuerpo=b"\xff\x00"), evento("pedidos", {"id": 1})])
        letra = await letra_de(broker)
        await hasta(lambda: vistos == [1])
    assert letra.mensaje.cuerpo == b"\xff\x00"
    assert "MensajeInvalido" in letra.motivo


async def test_los_handlers_lentos_no_frenan_a_los_async_ni_al_event_loop(url: str, base: str, broker: Broker) -> None:
    mensajeria = Mensajeria(url, base_datos=base)
    soltar = threading.Event()
    lentos, rapidos = [], []

    for i in range(3):

        @mensajeria.on_event("lento", use_case_name=f"lento-{i}")
        def lento(pedido: Pedido) -> None:
            lentos.append(pedido.id)
            soltar.wait(PLAZO_S)

    @mensajeria.on_event("rapido")
    async def rapido(pedido: Pedido, db: Session) -> None:
        rapidos.append(pedido.id)

    async with mensajeria:
        await broker.publicar([evento("lento", {"id": i}) for i in range(20)])
        await hasta(lambda: len(lentos) == 24)
        empezo = time.monotonic()
        await broker.publicar([evento("rapido", {"id": i}) for i in range(20)])
        await hasta(lambda: len(rapidos) == 20)
        tardo = time.monotonic() - empezo
        soltar.set()
    assert tardo < 3


async def test_new_event_conserva_el_orden_y_stop_espera_a_que_salga(url: str, broker: Broker) -> None:
    mensajeria = Mensajeria(url)
    async with mensajeria:
        for i in range(100):
            mensajeria.new_event("nuevo", {"id": i}, key_field="id")
    assert [decodificar(m, Pedido).id for m in await llegan(broker, "nuevo", 100)] == list(range(100))


async def test_publicar_espera_el_acuse_y_lanza_si_no_llega(url: str, broker: Broker) -> None:
    mensajeria = Mensajeria(url, topico="eventos", consumir=False)
    async with mensajeria:
        await mensajeria.publish_event("a.b", Pedido(id=1), key_field="id")
        await mensajeria.get_producer().send(topic="crudo", message={"id": 2}, key="k")
        [enviado] = await llegan(broker, "eventos", 1)
        [crudo] = await llegan(broker, "crudo", 1)
        with pytest.raises(ValueError, match="no_esta"):
            await mensajeria.publish_event("a.b", {"id": 1}, key_field="no_esta")
    assert (enviado.clave, enviado.cabeceras["type"]) == ("1", "a.b")
    assert decodificar(enviado, Evento).data == {"id": 1}
    assert (crudo.clave, crudo.cuerpo) == ("k", b'{"id":2}')
    with pytest.raises(RuntimeError, match="no está en marcha"):
        await mensajeria.publish_event("a.b", {})


# --- vivir ----------------------------------------------------------------------------------------------------------


async def test_un_arranque_que_falla_no_deja_nada_abierto_y_se_puede_repetir(url: str, broker: Broker) -> None:
    provistos: dict[Any, Any] = {}
    mensajeria, vistos = Mensajeria(url, puertos=provistos), []

    @mensajeria.on_event("uno")
    async def uno(pedido: Pedido) -> None:
        vistos.append(pedido.id)

    @mensajeria.on_event("dos")
    async def dos(pedido: Pedido, puerto: Puerto) -> None: ...

    await broker.publicar([evento("uno", {"id": 1})])
    hilos, tareas = set(threading.enumerate()), asyncio.all_tasks()
    for _ in range(2):
        with pytest.raises(PuertoSinProveedor, match=r"dos.*Puerto"):
            await mensajeria.start()
    assert vistos == []
    assert asyncio.all_tasks() == tareas
    assert {hilo for hilo in set(threading.enumerate()) - hilos if hilo.name.startswith("broker")} == set()

    provistos[Puerto] = Puerto()
    async with mensajeria:
        await hasta(lambda: vistos == [1])


async def test_parar_mientras_arranca_espera_y_para(url: str, base: str) -> None:
    mensajeria = Mensajeria(url, base_datos=base)
    arranque = asyncio.create_task(mensajeria.start())
    await asyncio.sleep(0)
    await asyncio.gather(mensajeria.stop(), mensajeria.stop(), arranque)
    with pytest.raises(RuntimeError, match="no está en marcha"):
        _ = mensajeria.broker

    async with mensajeria:
        with pytest.raises(RuntimeError, match="ya está en marcha"):
            await mensajeria.start()


@pytest.mark.capacidad("P01")
def test_sirve_en_un_event_loop_detras_de_otro(url: str) -> None:
    mensajeria, vistos = Mensajeria(url), []

    @mensajeria.on_event("uno")
    async def uno(pedido: Pedido) -> None:
        vistos.append(pedido.id)

    async def vida(id: int) -> None:
        async with mensajeria:
            await mensajeria.publish_event("uno", Pedido(id=id))
            await hasta(lambda: id in vistos)

    for id in (1, 2):
        asyncio.run(vida(id))


@pytest.mark.capacidad("P01")
async def test_vive_dentro_de_un_lifespan_asgi(url: str) -> None:
    mensajeria, vistos, enviados = Mensajeria(url), [], []

    @mensajeria.on_event("uno")
    async def uno(pedido: Pedido) -> None:
        vistos.append(pedido.id)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        async with mensajeria:
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
        await send({"type": "lifespan.shutdown.complete"})

    cola: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def send(mensaje: dict[str, str]) -> None:
        enviados.append(mensaje["type"])

    servidor = asyncio.create_task(app({"type": "lifespan"}, cola.get, send))
    await cola.put({"type": "lifespan.startup"})
    await hasta(lambda: enviados == ["lifespan.startup.complete"])
    await mensajeria.publish_event("uno", Pedido(id=1))
    await hasta(lambda: vistos == [1])
    await cola.put({"type": "lifespan.shutdown"})
    await asyncio.wait_for(servidor, PLAZO_S)
    assert enviados[-1] == "lifespan.shutdown.complete"


async def test_el_error_que_termina_a_un_consumidor_sale_por_esperar_y_queda_registrado(
    tmp_path: Path, registro: list[Any]
) -> None:
    (tmp_path / "x.db").write_text("no es una base\n" * 200)
    mensajeria = Mensajeria(f"embebido:///{tmp_path}/x.db")

    @mensajeria.on_event("uno")
    async def uno(pedido: Pedido) -> None: ...

    with pytest.raises(ErrorBroker, match=r"x\.db no es un broker"):
        await asyncio.wait_for(mensajeria.servir(), PLAZO_S)
    assert "mensajeria.tarea_terminada" in [linea["event"] for linea in registro]


async def test_un_handler_colgado_no_alarga_la_parada_mas_alla_de_la_gracia(url: str, broker: Broker) -> None:
    mensajeria, empezado = Mensajeria(url), asyncio.Event()

    @mensajeria.on_event("uno")
    async def colgado(pedido: Pedido) -> None:
        empezado.set()
        await asyncio.Event().wait()

    await mensajeria.start()
    await mensajeria.publish_event("uno", Pedido(id=1))
    await empezado.wait()
    empezo = time.monotonic()
    await mensajeria.stop(gracia_s=0.2)

    assert time.monotonic() - empezo < 2
    suscripcion = await broker.suscribir("seedwork.colgado", ["uno"])
    async with asyncio.timeout(PLAZO_S):
        assert len(await suscripcion.recibir(5)) == 1, "vuelve a entregarse"


async def test_lo_que_no_es_auto_start_no_arranca_solo(url: str, broker: Broker) -> None:
    mensajeria, vistos = Mensajeria(url), []

    @mensajeria.on_event("uno", auto_start=False)
    async def uno(pedido: Pedido) -> None:
        vistos.append(pedido.id)

    async with mensajeria:
        await mensajeria.esperar_conectada()
        await mensajeria.publish_event("uno", Pedido(id=1))
        await asyncio.sleep(0.1)
    assert vistos == []


def test_dos_consumidores_con_la_misma_suscripcion_son_un_error_que_los_nombra(url: str) -> None:
    mensajeria = Mensajeria(url, servicio="s")

    @mensajeria.on_event("uno")
    async def facturar(pedido: Pedido) -> None: ...

    with pytest.raises(ConsumidorRepetido, match=r"facturar.*s\.facturar"):
        mensajeria.on_event("dos", use_case_name="facturar")(facturar.rutas[0].funcion)


async def test_un_tipo_del_que_no_se_sabe_leer_detiene_el_arranque(url: str) -> None:
    mensajeria = Mensajeria(url)

    @mensajeria.on_event("uno")
    async def uno(raro: Raro) -> None: ...

    with pytest.raises(ErrorDeArranque, match="Raro"):
        await mensajeria.start()


def test_con_un_bus_la_base_y_los_puertos_son_los_suyos(url: str) -> None:
    bus = bootstrap()
    with pytest.raises(ErrorDeArranque, match="bus"):
        Mensajeria(url, bus=bus, puertos={})
    bus.cerrar()

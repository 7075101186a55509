"""El motor de consumo sobre un broker de verdad: carriles, cupos, acuses, política ante fallos y parada."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from tests.contratos.banco import cuerpos, mensajes, tomar

from seedwork.infraestructura.base_datos import BaseOcupada
from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    BrokerNoDisponible,
    Entrega,
    ErrorBroker,
    LetraMuerta,
    Mensaje,
    MensajeNoPublicable,
)
from seedwork.infraestructura.brokers.embebido import BrokerEmbebido
from seedwork.infraestructura.consumidor import MotorConsumo
from seedwork.infraestructura.declaracion import Consumidor
from seedwork.infraestructura.politica import ErrorPermanente, Reintentos

PLAZO_S = 10.0
AL_INSTANTE = Reintentos(maximo=2, espera_s=0)
Procesar = Callable[[Mensaje], Awaitable[None]]


@pytest.fixture(autouse=True)
def _sin_escribir_el_registro() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
async def broker() -> AsyncIterator[BrokerEmbebido]:
    broker = BrokerEmbebido(None)
    yield broker
    await broker.cerrar()


class Observada:
    """Una suscripción que anota lo que el motor le responde, y puede fingir que el broker no está."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.confirmadas: list[list[str]] = []
        self.devueltas: list[str] = []
        self.caidas: dict[str, list[Exception]] = defaultdict(list)

    def __getattr__(self, nombre: str) -> Any:
        async def llamar(*argumentos: Any) -> Any:
            if self.caidas[nombre]:
                raise self.caidas[nombre].pop()
            return await getattr(self._real, nombre)(*argumentos)

        return llamar

    async def confirmar(self, entregas: Sequence[Entrega]) -> None:
        if self.caidas["confirmar"]:
            raise self.caidas["confirmar"].pop()
        self.confirmadas.append(cuerpos(entregas))
        await self._real.confirmar(entregas)

    async def devolver(self, entregas: Sequence[Entrega]) -> None:
        self.devueltas += cuerpos(entregas)
        await self._real.devolver(entregas)


@asynccontextmanager
async def consumiendo(
    broker: BrokerEmbebido, procesar: Procesar, **opciones: Any
) -> AsyncIterator[tuple[MotorConsumo, Observada, asyncio.Task[None]]]:
    suscripcion = Observada(await broker.suscribir("s", ["t"]))
    opciones = {"reintentos": AL_INSTANTE, **opciones}
    consumidor = Consumidor(nombre="c", suscripcion="s", topicos=("t",), rutas=(), **opciones)
    motor = MotorConsumo(suscripcion, consumidor, procesar)
    tarea = asyncio.create_task(motor.correr())
    yield motor, suscripcion, tarea
    motor.parar()
    async with asyncio.timeout(PLAZO_S):
        await asyncio.gather(tarea, return_exceptions=True)


async def hasta(condicion: Callable[[], Any]) -> None:
    async with asyncio.timeout(PLAZO_S):
        while not condicion():
            await asyncio.sleep(0.005)


async def letras(broker: BrokerEmbebido, cuantas: int) -> list[LetraMuerta]:
    async with asyncio.timeout(PLAZO_S):
        while len(encontradas := await broker.letras_muertas.listar("s")) < cuantas:
            await asyncio.sleep(0.005)
    return encontradas


async def queda(broker: BrokerEmbebido) -> list[str]:
    """Lo que otro consumidor recibiría ahora."""
    suscripcion = await broker.suscribir("s", ["t"])
    try:
        async with asyncio.timeout(0.2):
            return cuerpos(await suscripcion.recibir(1000))
    except TimeoutError:
        return []
    finally:
        await suscripcion.cerrar()


class Handler:
    """Anota lo que atiende; falla según `fallos[cuerpo]`, y no sigue hasta que `abierto`."""

    def __init__(self, *, abierto: bool = True, **fallos: Sequence[BaseException]) -> None:
        self.vistos: list[str] = []
        self.terminados: list[str] = []
        self.en_curso = self.a_la_vez = 0
        self.fallos = {cuerpo: list(errores) for cuerpo, errores in fallos.items()}
        self.abierto = asyncio.Event()
        if abierto:
            self.abierto.set()

    async def __call__(self, mensaje: Mensaje) -> None:
        cuerpo = mensaje.cuerpo.decode()
        self.vistos.append(cuerpo)
        self.en_curso += 1
        self.a_la_vez = max(self.a_la_vez, self.en_curso)
        try:
            await self.abierto.wait()
            await asyncio.sleep(0)
            if errores := self.fallos.get(cuerpo):
                raise errores.pop(0)
            self.terminados.append(cuerpo)
        finally:
            self.en_curso -= 1


def de(clave: str | None, *cuerpos: str) -> list[Mensaje]:
    return [Mensaje(topico="t", cuerpo=c.encode(), clave=clave) for c in cuerpos]


# --- carriles y cupos -----------------------------------------------------------------------------------------------


async def test_lo_de_una_clave_va_de_uno_en_uno_y_en_orden_y_las_claves_a_la_vez(broker: BrokerEmbebido) -> None:
    handler = Handler()
    await broker.publicar([m for i in range(50) for k in "abcd" for m in de(k, f"{k}{i}")])
    async with consumiendo(broker, handler, concurrencia=3):
        await hasta(lambda: len(handler.terminados) == 200)

    for clave in "abcd":
        assert [c for c in handler.terminados if c[0] == clave] == [f"{clave}{i}" for i in range(50)]
    assert handler.a_la_vez == 3
    assert await queda(broker) == []


async def test_no_se_atienden_mas_de_concurrencia_ni_se_toman_mas_de_prefetch(broker: BrokerEmbebido) -> None:
    handler = Handler(abierto=False)
    await broker.publicar(mensajes("t", 2000))
    async with consumiendo(broker, handler, concurrencia=4, prefetch=10):
        await hasta(lambda: len(handler.vistos) == 4)
        await asyncio.sleep(0.05)
        assert len(handler.vistos) == 4
        assert len(await queda(broker)) == 1000
        resto = await broker.hacer(lambda almacen: almacen._uno("SELECT count(*) FROM entregas WHERE dueno NOT NULL"))
        assert resto == (10,)
        handler.abierto.set()
        await hasta(lambda: len(handler.terminados) >= 30)


async def test_lo_tomado_se_acota_tambien_por_bytes(broker: BrokerEmbebido) -> None:
    handler = Handler(abierto=False)
    await broker.publicar([Mensaje(topico="t", cuerpo=b"x" * 3_000_000) for _ in range(20)])
    async with consumiendo(broker, handler):
        await hasta(lambda: handler.en_curso)
        await asyncio.sleep(0.3)
        tomadas: Any = await broker.hacer(lambda almacen: almacen._uno("SELECT count(*) FROM entregas"))
        assert 6 <= tomadas[0] <= 8
        handler.abierto.set()
        await hasta(lambda: len(handler.terminados) == 20)


async def test_los_acuses_van_en_lotes(broker: BrokerEmbebido) -> None:
    handler = Handler()
    await broker.publicar(mensajes("t", 1000))
    async with consumiendo(broker, handler) as (_, suscripcion, _tarea):
        await hasta(lambda: sum(map(len, suscripcion.confirmadas)) == 1000)

    assert len(suscripcion.confirmadas) < 200


# --- política -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ErrorPermanente("no"), MensajeNoPublicable(Mensaje(topico="x", cuerpo=b""), "no")])
async def test_un_error_permanente_va_a_las_letras_muertas_a_la_primera(
    broker: BrokerEmbebido, error: Exception
) -> None:
    handler = Handler(malo=[error] * 5)
    await broker.publicar([*de("k", "malo", "bueno")])
    async with consumiendo(broker, handler):
        await hasta(lambda: handler.terminados == ["bueno"])
        [letra] = await letras(broker, 1)

    assert handler.vistos == ["malo", "bueno"]
    assert (letra.intentos, letra.motivo) == (1, f"{type(error).__name__}: no")


async def test_lo_que_el_consumidor_declara_permanente_tampoco_se_reintenta(broker: BrokerEmbebido) -> None:
    handler = Handler(malo=[KeyError("x")] * 5)
    await broker.publicar(de("k", "malo"))
    async with consumiendo(broker, handler, permanentes=(KeyError,)):
        await letras(broker, 1)

    assert handler.vistos == ["malo"]


async def test_lo_que_el_consumidor_declara_esperado_se_reintenta_sin_registrarse(broker: BrokerEmbebido) -> None:
    handler = Handler(pronto=[KeyError("aún no"), RuntimeError("no")])
    await broker.publicar(de("k", "pronto"))
    with capture_logs() as registro:
        async with consumiendo(broker, handler, esperados=(KeyError,)):
            await hasta(lambda: handler.terminados == ["pronto"])
    assert [linea["error"] for linea in registro if linea["event"] == "consumo.fallo"] == ["RuntimeError: no"]


@pytest.mark.parametrize("orden", ["estricto", "relajado"])
@pytest.mark.parametrize("clave", ["k", None])
async def test_un_error_transitorio_se_reintenta_lo_que_dice_la_politica_y_acaba_en_letras_muertas(
    broker: BrokerEmbebido, orden: str, clave: str | None
) -> None:
    handler = Handler(malo=[RuntimeError("hoy no")] * 9)
    await broker.publicar(de(clave, "malo"))
    async with consumiendo(broker, handler, orden=orden):
        [letra] = await letras(broker, 1)

    assert handler.vistos == ["malo"] * 3, "el primero y dos reintentos"
    assert (letra.intentos, letra.motivo) == (3, "RuntimeError: hoy no")


async def test_entre_reintentos_se_espera_lo_que_dice_la_politica(broker: BrokerEmbebido) -> None:
    cuando: list[float] = []

    async def falla(_: Mensaje) -> None:
        cuando.append(asyncio.get_running_loop().time())
        raise RuntimeError("no")

    await broker.publicar(de("k", "x"))
    async with consumiendo(broker, falla, reintentos=Reintentos(maximo=2, espera_s=0.2, factor=2)):
        await letras(broker, 1)

    assert cuando[1] - cuando[0] == pytest.approx(0.2, abs=0.15)
    assert cuando[2] - cuando[1] == pytest.approx(0.4, abs=0.15)


async def test_el_orden_estricto_retiene_la_clave_y_deja_pasar_las_demas_aunque_tenga_mucho_detras(
    broker: BrokerEmbebido,
) -> None:
    handler = Handler(k0=[RuntimeError("no")])
    detras = [f"k{i}" for i in range(1, 40)]
    await broker.publicar([*de("k", "k0", *detras), *de("otra", "o1", "o2"), *de(None, "sin")])
    opciones = {"concurrencia": 2, "prefetch": 4, "reintentos": Reintentos(maximo=1, espera_s=0.5)}
    async with consumiendo(broker, handler, **opciones):
        await hasta(lambda: len(handler.terminados) >= 3)
        assert sorted(handler.terminados) == ["o1", "o2", "sin"], "nada de la retenida"
        await hasta(lambda: len(handler.terminados) == 43)

    assert [c for c in handler.terminados if c[0] == "k"] == ["k0", *detras]
    assert await letras(broker, 0) == []


async def test_el_orden_relajado_deja_pasar_lo_de_la_misma_clave(broker: BrokerEmbebido) -> None:
    handler = Handler(k0=[RuntimeError("no")])
    await broker.publicar(de("k", "k0", "k1", "k2"))
    async with consumiendo(broker, handler, orden="relajado", reintentos=Reintentos(maximo=1, espera_s=0.3)):
        await hasta(lambda: len(handler.terminados) == 3)

    assert handler.terminados == ["k1", "k2", "k0"]


def _operacional(mensaje: str, codigo: int) -> OperationalError:
    origen = sqlite3.OperationalError(mensaje)
    origen.sqlite_errorcode = codigo
    return OperationalError("SELECT 1", {}, origen)


@pytest.mark.parametrize(
    "error",
    [BrokerNoDisponible("caído"), BaseOcupada("ocupada"), _operacional("disk I/O error", sqlite3.SQLITE_IOERR)],
)
async def test_un_fallo_de_infraestructura_espera_y_no_gasta_intentos(broker: BrokerEmbebido, error: Exception) -> None:
    handler = Handler(x=[error, RuntimeError("uno"), error, RuntimeError("dos"), error])
    await broker.publicar(de("k", "x", "y"))
    async with consumiendo(broker, handler):
        await hasta(lambda: handler.terminados == ["x", "y"])

    assert await letras(broker, 0) == []


async def test_una_consulta_mal_escrita_no_es_un_fallo_de_infraestructura(broker: BrokerEmbebido) -> None:
    handler = Handler(x=[_operacional("no such table: y", sqlite3.SQLITE_ERROR)] * 9)
    await broker.publicar(de("k", "x"))
    async with consumiendo(broker, handler):
        [letra] = await letras(broker, 1)
    assert letra.intentos == 3


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), ExceptionGroup("varios", [ValueError()]), TimeoutError(), RecursionError(), EOFError()],
)
async def test_falle_como_falle_un_handler_su_mensaje_no_se_queda_atascado(
    broker: BrokerEmbebido, error: BaseException
) -> None:
    handler = Handler(malo=[error] * 9)
    await broker.publicar([*de("k", "malo", "bueno"), *de(None, "malo", "bueno")])
    async with consumiendo(broker, handler) as (motor, _, tarea):
        await letras(broker, 2)
        await hasta(lambda: handler.terminados == ["bueno", "bueno"])
        await hasta(lambda: motor._en_mano == 0)
        assert not tarea.done()


# --- sospechosos ----------------------------------------------------------------------------------------------------


async def _sospechosos(broker: BrokerEmbebido, lote: list[Mensaje]) -> None:
    """Deja `lote` en manos de un consumidor que se fue sin responder."""
    victima = await broker.suscribir("s", ["t"])
    await broker.publicar(lote)
    await tomar(victima, len(lote))
    await victima.cerrar()


async def test_los_sospechosos_se_atienden_a_solas_y_contados_antes_de_empezar(broker: BrokerEmbebido) -> None:
    await _sospechosos(broker, [*de("a", "s1"), *de("b", "s2"), *de(None, "s3")])
    await broker.publicar([m for i in range(20) for m in de(None, f"n{i}")])
    durante: dict[str, Any] = {}
    en_curso: set[str] = set()

    async def procesar(mensaje: Mensaje) -> None:
        cuerpo = mensaje.cuerpo.decode()
        en_curso.add(cuerpo)
        await asyncio.sleep(0.005)
        if cuerpo[0] == "s":
            contados: Any = await broker.hacer(
                lambda almacen: almacen._uno("SELECT sum(intentos) FROM entregas WHERE sospechosa=1")
            )
            durante[cuerpo] = (set(en_curso), contados[0])
        else:
            assert not any(otro[0] == "s" for otro in en_curso)
        en_curso.discard(cuerpo)
        durante.setdefault(cuerpo, None)

    async with consumiendo(broker, procesar):
        await hasta(lambda: len(durante) == 23)

    assert all(durante[s][0] == {s} for s in ("s1", "s2", "s3"))
    assert all(durante[s][1] >= 1 for s in ("s1", "s2", "s3"))


async def test_un_sospechoso_que_falla_no_frena_a_los_otros_mientras_espera(broker: BrokerEmbebido) -> None:
    await _sospechosos(broker, [*de("a", "malo"), *de("b", "bueno")])
    handler = Handler(malo=[RuntimeError("no")] * 9)
    async with consumiendo(broker, handler, reintentos=Reintentos(maximo=1, espera_s=30)):
        await hasta(lambda: handler.terminados == ["bueno"])


async def test_parar_con_la_base_caida_no_gasta_intentos_de_un_sospechoso(broker: BrokerEmbebido) -> None:
    await _sospechosos(broker, de("k", "x"))
    for _ in range(5):
        handler = Handler(x=[BaseOcupada("no")] * 99)
        async with consumiendo(broker, handler, reintentos=Reintentos(maximo=0)):
            await hasta(lambda handler=handler: handler.vistos)

    handler = Handler()
    async with consumiendo(broker, handler, reintentos=Reintentos(maximo=0)):
        await hasta(lambda: handler.terminados == ["x"])
    assert await letras(broker, 0) == []


async def test_a_un_sospechoso_sin_intentos_no_se_le_vuelve_a_llamar(broker: BrokerEmbebido) -> None:
    victima = await broker.suscribir("s", ["t"])
    await broker.publicar(de("k", "x"))
    [entrega] = await tomar(victima, 1)
    for _ in range(3):
        await victima.iniciar(entrega)
    await victima.cerrar()
    handler = Handler()
    async with consumiendo(broker, handler):
        [letra] = await letras(broker, 1)

    assert handler.vistos == []
    assert letra.intentos == 3
    assert "murió" in letra.motivo


# --- parar y caerse -------------------------------------------------------------------------------------------------


async def test_al_parar_lo_empezado_termina_y_se_confirma_y_lo_demas_se_devuelve_en_orden(
    broker: BrokerEmbebido,
) -> None:
    handler = Handler(abierto=False)
    await broker.publicar([*de("k", "k0", "k1", "k2"), *de(None, "a", "b", "c")])
    async with consumiendo(broker, handler, concurrencia=2) as (motor, suscripcion, tarea):
        await hasta(lambda: len(handler.vistos) == 2)
        motor.parar()
        await asyncio.sleep(0.05)
        handler.abierto.set()
        await tarea

    assert (
        sorted(handler.terminados)
        == sorted(handler.vistos)
        == sorted(c for lote in suscripcion.confirmadas for c in lote)
    )
    resto = await queda(broker)
    assert sorted(resto + handler.terminados) == ["a", "b", "c", "k0", "k1", "k2"]
    assert [c for c in resto if c[0] == "k"] == ["k1", "k2"]


async def test_parar_durante_la_espera_de_un_reintento_no_la_agota(broker: BrokerEmbebido) -> None:
    handler = Handler(x=[RuntimeError("no")] * 9)
    await broker.publicar(de("k", "x", "y"))
    async with consumiendo(broker, handler, reintentos=Reintentos(maximo=3, espera_s=600)):
        await hasta(lambda: handler.vistos == ["x"])
        await asyncio.sleep(0.02)

    [entrega] = (await tomar(await broker.suscribir("s", ["t"]), 2))[:1]
    assert (entrega.mensaje.cuerpo, entrega.intentos) == (b"x", 1)


async def test_cancelar_el_motor_con_un_handler_colgado_no_deja_nada_pendiente(broker: BrokerEmbebido) -> None:
    handler = Handler(abierto=False)
    await broker.publicar([*de("k", "colgado", "detras"), *de(None, "otro")])
    async with consumiendo(broker, handler) as (_, _s, tarea):
        await hasta(lambda: len(handler.vistos) == 2)
        tarea.cancel()
        with pytest.raises(asyncio.CancelledError):
            await tarea

    assert asyncio.all_tasks() - {asyncio.current_task(), *broker._tareas} == set()
    assert sorted(await queda(broker)) == ["colgado", "detras", "otro"]


@pytest.mark.parametrize("respuesta", ["confirmar", "recibir", "devolver", "reintentar", "desechar", "iniciar"])
async def test_si_el_broker_no_responde_un_rato_el_motor_insiste(broker: BrokerEmbebido, respuesta: str) -> None:
    handler = Handler(raro=[RuntimeError("no")], malo=[ErrorPermanente("no")], suelto=[RuntimeError("no")])
    await broker.publicar([*de("k", "raro", "bueno"), *de("j", "malo"), *de(None, "suelto")])
    async with consumiendo(broker, handler) as (_, suscripcion, tarea):
        suscripcion.caidas[respuesta] = [BrokerNoDisponible("caído")] * 2
        await hasta(lambda: sorted(handler.terminados) == ["bueno", "raro", "suelto"])
        await letras(broker, 1)
        assert not tarea.done()
    assert await queda(broker) == []


@pytest.mark.parametrize("respuesta", ["confirmar", "recibir"])
async def test_un_error_del_broker_que_no_pasara_termina_el_motor_y_sale_de_el(
    broker: BrokerEmbebido, respuesta: str
) -> None:
    handler = Handler()
    async with consumiendo(broker, handler) as (_, suscripcion, tarea):
        await asyncio.sleep(0.02)
        suscripcion.caidas[respuesta] = [ErrorBroker("dañado")]
        await broker.publicar(de("k", *"abc"))
        if respuesta == "recibir":
            await hasta(lambda: len(handler.terminados) == 3)
        with pytest.raises(ErrorBroker, match="dañado"):
            await asyncio.wait_for(tarea, PLAZO_S)


async def test_si_cierran_el_broker_el_motor_termina_y_no_insiste(broker: BrokerEmbebido) -> None:
    handler = Handler(abierto=False)
    await broker.publicar(de("k", "x"))
    async with consumiendo(broker, handler) as (_, _s, tarea):
        await hasta(lambda: handler.vistos)
        await broker.cerrar()
        handler.abierto.set()
        with pytest.raises(BrokerCerrado):
            await asyncio.wait_for(tarea, PLAZO_S)

"""Los mediadores: handlers de clase con sus puertos, solicitudes de las dos formas, y lo que un handler anuncia."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from celery import Celery
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import text
from sqlalchemy.orm import Session
from tests.contratos.banco import Banco
from tests.contratos.banco_kafka import kafka
from tests.contratos.banco_rabbitmq import rabbitmq

from seedwork import (
    Comando,
    Despachador,
    Evento,
    EventoDominio,
    Mensaje,
    Mensajeria,
    Modulo,
    Query,
    Sistema,
    bootstrap,
    configurar_celery_app,
    consumer,
    on_event,
    tras_confirmar,
)
from seedwork.dominio.entidades import AgregacionRaiz
from seedwork.dominio.eventos import nuevo_id
from seedwork.infraestructura.brokers.embebido.broker import TAMANO_MAXIMO
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

PLAZO_S = 60.0


class Reuniones(Protocol):
    def unir(self, usuario: int) -> None: ...


class ReunionesEnMemoria:
    def __init__(self) -> None:
        self.diario: list[str] = []
        self.uow = 0

    def unir(self, usuario: int) -> None:
        self.diario.append(f"entra {usuario}")


class Unir(BaseModel, Comando[int]):
    model_config = ConfigDict(frozen=True)
    usuario: int


@dataclass(frozen=True, kw_only=True)
class UnirDataclass(Comando[int]):
    usuario: int


class Enlace(BaseModel):
    reunion: int
    direccion: str


class VerEnlace(BaseModel, Query[Enlace]):
    reunion: int


@dataclass(frozen=True, kw_only=True)
class VerEnlaceDataclass(Query[Enlace]):
    reunion: int


@dataclass(frozen=True, kw_only=True)
class UsuarioUnido(EventoDominio):
    usuario: int


class ConPuertos:
    """Lo que comparten los handlers de clase: un puerto del proceso en el constructor."""

    def __init__(self, reuniones: Reuniones) -> None:
        self.reuniones = reuniones


class UnirHandler(ConPuertos):
    def handle(self, comando: Unir) -> int:
        self.reuniones.unir(comando.usuario)
        return id(self)


class UnirAsincrono(ConPuertos):
    async def handle(self, comando: Unir) -> int:
        await asyncio.sleep(0)
        self.reuniones.unir(comando.usuario)
        return id(self)


class UnirEnTransaccion:
    def __init__(self, reuniones: Reuniones, uow: UnidadTrabajoSQLAlchemy) -> None:
        self._reuniones, self._uow = reuniones, uow

    def handle(self, comando: Unir) -> int:
        sala = AgregacionRaiz(id=nuevo_id())
        sala.registrar(UsuarioUnido(usuario=comando.usuario))
        self._reuniones.unir(comando.usuario)
        self._uow.anotar_eventos(sala)
        return id(self._uow)


class UnirEnTransaccionAsincrono(UnirEnTransaccion):
    async def handle(self, comando: Unir) -> int:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().handle(comando)


class VerHandler:
    def __init__(self, raiz: str) -> None:
        self._raiz = raiz

    def handle(self, query: VerEnlace) -> Enlace:
        return Enlace(reunion=query.reunion, direccion=f"{self._raiz}/{query.reunion}")


class VerAsincrono(VerHandler):
    async def handle(self, query: VerEnlace) -> Enlace:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().handle(query)


class VerEnTransaccion(VerHandler):
    def __init__(self, raiz: str, db: Session) -> None:
        super().__init__(raiz)
        self._db = db

    def handle(self, query: VerEnlace) -> Enlace:
        assert self._db.scalar(text("SELECT 1")) == 1
        return super().handle(query)


@pytest.fixture
def reuniones() -> ReunionesEnMemoria:
    return ReunionesEnMemoria()


@contextmanager
def salas(carpeta: Path, reuniones: ReunionesEnMemoria, **opciones: Any) -> Iterator[Sistema]:
    modulo = Modulo(nombre="salas", puertos={Reuniones: reuniones, str: "https://salas.example"}, **opciones)
    bus = bootstrap([modulo], base_datos=f"sqlite:///{carpeta}/salas.db")
    try:
        yield bus
    finally:
        bus.cerrar()


@pytest.mark.capacidad("C02")
@pytest.mark.parametrize("unir", [UnirHandler, UnirAsincrono, UnirEnTransaccion, UnirEnTransaccionAsincrono])
@pytest.mark.parametrize("ver", [VerHandler, VerAsincrono, VerEnTransaccion])
async def test_un_comando_y_una_query_tienen_handler_de_clase_sincrono_o_async_con_lo_que_pide_su_constructor(
    unir: type, ver: type, tmp_path: Path, reuniones: ReunionesEnMemoria
) -> None:
    with salas(tmp_path, reuniones, comandos={Unir: unir}, queries={VerEnlace: ver}) as bus:
        await bus.ejecutar_async(Unir(usuario=1))
        await asyncio.to_thread(bus.ejecutar, Unir(usuario=2))
        assert reuniones.diario == ["entra 1", "entra 2"]
        enlace = await bus.ejecutar_async(VerEnlace(reunion=7))
        assert enlace == Enlace(reunion=7, direccion="https://salas.example/7")


@pytest.mark.capacidad("C02")
def test_lo_que_un_handler_pide_lo_da_el_contenedor_y_se_reemplaza_por_su_tipo() -> None:
    otras = ReunionesEnMemoria()
    modulo = Modulo(nombre="salas", comandos={Unir: UnirHandler}, puertos={Reuniones: ReunionesEnMemoria})
    bus = bootstrap([modulo], puertos={Reuniones: otras})
    assert bus.ejecutar(Unir(usuario=1)) == bus.ejecutar(Unir(usuario=2))  # el mismo handler: no depende del mensaje
    assert otras.diario == ["entra 1", "entra 2"]
    bus.cerrar()


class AnotarUnido(ConPuertos):
    def handle(self, evento: UsuarioUnido) -> None:
        self.reuniones.diario.append(f"clase {evento.usuario}")  # type: ignore[attr-defined]


class AvisarUnido(ConPuertos):
    async def handle(self, evento: UsuarioUnido) -> None:
        await asyncio.sleep(0)
        self.reuniones.diario.append(f"async {evento.usuario}")  # type: ignore[attr-defined]


class DespacharUnido:
    def __init__(self, reuniones: Reuniones, uow: UnidadTrabajoSQLAlchemy) -> None:
        self._reuniones, self._uow = reuniones, uow

    def handle(self, evento: UsuarioUnido) -> None:
        self._reuniones.uow = id(self._uow)  # type: ignore[attr-defined]
        self._reuniones.diario.append(f"transaccion {evento.usuario}")  # type: ignore[attr-defined]


def anotar(evento: UsuarioUnido, reuniones: Reuniones) -> None:
    reuniones.diario.append(f"funcion {evento.usuario}")  # type: ignore[attr-defined]


@pytest.mark.capacidad("C01")
async def test_un_handler_de_evento_es_una_clase_con_sus_puertos_dentro_de_la_transaccion_o_tras_ella(
    tmp_path: Path, reuniones: ReunionesEnMemoria
) -> None:
    handlers = [AnotarUnido, DespacharUnido, tras_confirmar(AvisarUnido)]
    tablas: dict[str, Any] = {"comandos": {Unir: UnirEnTransaccion}, "eventos": {UsuarioUnido: handlers}}
    with salas(tmp_path, reuniones, **tablas) as bus:
        assert await bus.ejecutar_async(Unir(usuario=1)) == reuniones.uow  # la unidad de trabajo del comando
        assert reuniones.diario == ["entra 1", "clase 1", "transaccion 1", "async 1"]


@pytest.mark.capacidad("C05")
@pytest.mark.parametrize("al_reves", [False, True])
def test_los_handlers_de_un_evento_corren_en_el_orden_del_mapa_sean_clases_o_funciones(
    al_reves: bool, tmp_path: Path, reuniones: ReunionesEnMemoria
) -> None:
    nombres: dict[Any, str] = {AnotarUnido: "clase 1", anotar: "funcion 1", DespacharUnido: "transaccion 1"}
    handlers = list(reversed(nombres)) if al_reves else list(nombres)
    tablas: dict[str, Any] = {"comandos": {Unir: UnirEnTransaccion}, "eventos": {UsuarioUnido: handlers}}
    with salas(tmp_path, reuniones, **tablas) as bus:
        bus.ejecutar(Unir(usuario=1))
    assert reuniones.diario == ["entra 1", *(nombres[handler] for handler in handlers)]


@pytest.mark.capacidad("C05")
def test_los_mapas_se_dan_por_modulo_o_a_bootstrap_y_lo_dado_a_bootstrap_gana(
    tmp_path: Path, reuniones: ReunionesEnMemoria
) -> None:
    modulo = Modulo(
        nombre="salas",
        comandos={Unir: UnirEnTransaccion},
        queries={VerEnlace: VerHandler},
        eventos={UsuarioUnido: [AnotarUnido]},
        puertos={Reuniones: reuniones, str: "https://salas.example"},
    )
    base = f"sqlite:///{tmp_path}/salas.db"
    bus = bootstrap([modulo], base_datos=base, eventos={UsuarioUnido: [anotar]}, queries={VerEnlace: VerAsincrono})
    bus.ejecutar(Unir(usuario=1))
    assert bus.ejecutar(VerEnlace(reunion=7)).direccion == "https://salas.example/7"
    bus.cerrar()
    assert reuniones.diario == ["entra 1", "funcion 1"]


# --- pydantic y dataclass -------------------------------------------------------------------------------------------


def unir_dataclass(comando: UnirDataclass) -> int:
    return comando.usuario


def unir_pydantic(comando: Unir) -> int:
    return comando.usuario


def ver_dataclass(query: VerEnlaceDataclass) -> Enlace:
    return Enlace(reunion=query.reunion, direccion="dataclass")


def ver_pydantic(query: VerEnlace) -> Enlace:
    return Enlace(reunion=query.reunion, direccion="pydantic")


@pytest.mark.capacidad("C09")
def test_una_solicitud_es_un_modelo_pydantic_o_una_dataclass_y_se_puede_dejar_para_despues(tmp_path: Path) -> None:
    modulo = Modulo(
        nombre="salas",
        comandos={Unir: unir_pydantic, UnirDataclass: unir_dataclass},
        queries={VerEnlace: ver_pydantic, VerEnlaceDataclass: ver_dataclass},
    )
    bus = bootstrap([modulo], base_datos=f"sqlite:///{tmp_path}/salas.db")
    configurar_celery_app(Celery("salas", broker="redis://localhost:1/"), bus)
    assert bus.ejecutar(Unir.model_validate({"usuario": "1"})) == bus.ejecutar(UnirDataclass(usuario=1)) == 1
    assert bus.ejecutar(VerEnlace(reunion=1)).direccion == "pydantic"
    assert bus.ejecutar(VerEnlaceDataclass(reunion=1)).direccion == "dataclass"
    for comando in (Unir(usuario=2), UnirDataclass(usuario=2)):
        assert bus.ejecutar_despues(comando)
        escrito = bus.cola.escribir(comando)
        assert bus.cola.leer(f"{__name__}.{type(comando).__name__}", escrito) == comando
    bus.cerrar()
    with pytest.raises(ValidationError):
        Unir.model_validate({"usuario": "nadie"})


# --- lo que un handler anuncia, y lo que llega del broker -----------------------------------------------------------


def embebido(carpeta: Path) -> Banco:
    return Banco(f"embebido:///{carpeta}/broker.db", vida_s=5, tamano_maximo=TAMANO_MAXIMO)


@pytest.fixture(params=[embebido, kafka, rabbitmq])
async def banco(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Banco]:
    banco: Banco = request.param(tmp_path)
    yield banco
    await banco.cerrar()


class Topicos:
    """Dónde se anuncia, para que cada prueba tenga los suyos."""

    def __init__(self, banco: Banco) -> None:
        self.avisos, self.estados = banco.topico("avisos"), banco.topico("estados")


class AnunciarHandler:
    def __init__(self, despachador: Despachador, topicos: Topicos, reuniones: Reuniones) -> None:
        self._despachador, self._topicos, self._reuniones = despachador, topicos, reuniones

    async def handle(self, comando: Unir) -> int:
        self._despachador.publicar(
            {"usuario": comando.usuario}, topico=self._topicos.avisos, tipo="usuario.unido", clave=str(comando.usuario)
        )
        self._despachador.publicar(
            {"usuario": comando.usuario, "estado": "dentro"},
            topico=self._topicos.estados,
            tipo="usuario",
            clave=str(comando.usuario),
        )
        if comando.usuario < 0:
            raise RuntimeError("no se pudo")
        return comando.usuario


@contextmanager
def anunciador(banco: Banco, carpeta: Path, reuniones: ReunionesEnMemoria, *consumidores: Any) -> Iterator[Sistema]:
    modulo = Modulo(
        nombre="salas",
        comandos={Unir: AnunciarHandler},
        puertos={Reuniones: reuniones, Topicos: Topicos(banco)},
        consumidores=consumidores,
    )
    base = f"sqlite:///{carpeta}/salas.db"
    bus = bootstrap([modulo], base_datos=base, broker=banco.url, servicio=banco.suscripcion("servicio"))
    try:
        yield bus
    finally:
        bus.cerrar()


@pytest.mark.capacidad("C03")
async def test_lo_que_un_handler_anuncia_sale_al_broker_al_terminar_y_nada_si_falla(
    banco: Banco, tmp_path: Path, reuniones: ReunionesEnMemoria
) -> None:
    topicos = Topicos(banco)
    with anunciador(banco, tmp_path, reuniones) as bus:
        async with asyncio.timeout(PLAZO_S), Mensajeria(bus=bus):
            with pytest.raises(RuntimeError, match="no se pudo"):
                await bus.ejecutar_async(Unir(usuario=-1))
            await bus.ejecutar_async(Unir(usuario=1))
            suscripcion = await banco.broker().suscribir(banco.suscripcion(), [topicos.avisos, topicos.estados])
            leidos: list[Mensaje] = []
            while len(leidos) < 2:
                for entrega in await suscripcion.recibir(10):
                    leidos.append(entrega.mensaje)
                    await suscripcion.confirmar([entrega])
    contenidos = {mensaje.cabeceras["type"]: json.loads(mensaje.cuerpo) for mensaje in leidos}
    assert contenidos == {"usuario.unido": {"usuario": 1}, "usuario": {"usuario": 1, "estado": "dentro"}}
    assert {mensaje.clave for mensaje in leidos} == {"1"}
    assert len({mensaje.cabeceras["id"] for mensaje in leidos}) == 2


@pytest.mark.capacidad("C04")
async def test_un_mediador_atiende_las_solicitudes_y_otro_lo_que_llega_del_broker_cada_uno_con_su_handler(
    banco: Banco, tmp_path: Path, reuniones: ReunionesEnMemoria
) -> None:
    topicos = Topicos(banco)

    @consumer(banco.suscripcion("sala"), topics=[topicos.avisos, topicos.estados])
    class AlUnirse:
        def __init__(self, reuniones: Reuniones) -> None:
            self._reuniones = reuniones

        @on_event("usuario.unido")
        async def avisar(self, evento: Unido) -> None:
            self._reuniones.diario.append(f"aviso {evento.usuario}")  # type: ignore[attr-defined]

        @on_event("usuario")
        def guardar(self, evento: Evento, db: Session) -> None:
            assert db.scalar(text("SELECT 1")) == 1
            self._reuniones.diario.append(f"estado {evento.data['estado']}")  # type: ignore[attr-defined]

    with anunciador(banco, tmp_path, reuniones, AlUnirse) as bus:
        async with asyncio.timeout(PLAZO_S), Mensajeria(bus=bus) as mensajeria:
            await mensajeria.publish_event("nadie.lo.atiende", {}, topic=topicos.avisos)
            assert await bus.ejecutar_async(Unir(usuario=1)) == 1
            while len(reuniones.diario) < 2:
                await asyncio.sleep(0.05)
    assert sorted(reuniones.diario) == ["aviso 1", "estado dentro"]


class Unido(BaseModel):
    usuario: int

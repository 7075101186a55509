"""`@event` sobre funciones de toda clase, sin servidor alguno."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from structlog.testing import capture_logs

from seedwork import Accion, ErrorDeArranque, Mensaje, Mensajeria, bootstrap, conectar, event
from seedwork.infraestructura.tablas import outbox

PLAZO_S = 15.0


class Color(Enum):
    ROJO = "rojo"


class Modelo(BaseModel):
    id: int
    color: Color = Color.ROJO


@dataclass
class Registro:
    id: int


class Base(DeclarativeBase): ...


class Fila(Base):
    __tablename__ = "filas"
    id: Mapped[int] = mapped_column(primary_key=True)
    nombre: Mapped[str]


class RespuestaComoLasDeStarlette:
    status_code = 200
    body = b'{"id": 1}'


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"embebido:///{tmp_path}/broker.db"


@pytest.fixture(autouse=True)
def registro() -> Iterator[list[Any]]:
    with capture_logs() as registro:
        yield registro


@pytest.fixture
async def mensajeria(url: str) -> AsyncIterator[Mensajeria]:
    async with Mensajeria(url, servicio="s") as mensajeria:
        yield mensajeria


async def publicados(url: str, cuantos: int) -> list[Mensaje]:
    broker, recibidos = conectar(url), list[Mensaje]()
    suscripcion = await broker.suscribir("prueba", ["#"])
    async with asyncio.timeout(PLAZO_S):
        while len(recibidos) < cuantos:
            recibidos += [entrega.mensaje for entrega in await suscripcion.recibir(10)]
    await broker.cerrar()
    return recibidos


def datos(mensajes: list[Mensaje]) -> list[Any]:
    return [json.loads(mensaje.cuerpo)["data"] for mensaje in mensajes]


@pytest.mark.parametrize(
    ("retorno", "esperado", "clave"),
    [
        ({"id": 1}, {"id": 1}, "id"),
        (Modelo(id=1), {"id": 1, "color": "rojo"}, "color"),
        (Registro(id=1), {"id": 1}, "id"),
        (Fila(id=1, nombre="a"), {"id": 1, "nombre": "a"}, "nombre"),
        (RespuestaComoLasDeStarlette(), {"id": 1}, "id"),
        (None, None, None),
        ([1, 2], [1, 2], None),
    ],
)
async def test_los_retornos_que_se_entienden(
    mensajeria: Mensajeria, url: str, retorno: Any, esperado: Any, clave: str | None
) -> None:
    assert mensajeria.event("hecho", key_field=clave)(lambda: retorno)() is retorno

    [mensaje] = await publicados(url, 1)
    assert datos([mensaje]) == [esperado]
    assert mensaje.clave == (None if clave is None else str(esperado[clave]))


async def test_vale_para_funciones_de_las_dos_clases_metodos_y_objetos_y_no_cambia_su_cara(
    mensajeria: Mensajeria, url: str
) -> None:
    class Vista:
        def __init__(self, id: int) -> None:
            self.id = id

        @mensajeria.event("user.created", topic="usuarios", key_field="id")
        async def crear(self, extra: int = 0) -> dict[str, int]:
            """Crea."""
            return {"id": self.id + extra}

        @classmethod
        @mensajeria.event("user.created", topic="usuarios")
        def de_clase(cls) -> dict[str, int]:
            return {"id": 9}

    class Aplicacion:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> dict[str, int]:
            return {"id": 10}

    assert await Vista(1).crear(extra=1) == {"id": 2}
    assert Vista.de_clase() == {"id": 9}
    assert await mensajeria.event("visto", topic="usuarios")(Aplicacion())(None, None, None) == {"id": 10}
    assert asyncio.iscoroutinefunction(Vista.crear)
    assert (Vista.crear.__name__, Vista.crear.__doc__) == ("crear", "Crea.")
    assert datos(await publicados(url, 3)) == [{"id": 2}, {"id": 9}, {"id": 10}]


async def test_si_lanza_no_se_publica_y_el_error_sale_tal_cual(mensajeria: Mensajeria, url: str) -> None:
    @mensajeria.event("hecho")
    async def falla() -> None:
        raise KeyError("no")

    @mensajeria.event("hecho")
    def bien() -> dict[str, int]:
        return {"id": 1}

    with pytest.raises(KeyError, match="no"):
        await falla()
    bien()
    assert datos(await publicados(url, 1)) == [{"id": 1}]


async def test_lo_que_no_se_puede_publicar_se_registra_y_la_funcion_no_lo_nota(
    mensajeria: Mensajeria, registro: list[Any]
) -> None:
    for retorno, clave in (({"id": 1}, "no_esta"), ({"id": None}, "id"), (object(), None), (object(), "id")):
        assert mensajeria.event("hecho", key_field=clave)(lambda retorno=retorno: retorno)() is retorno
    await mensajeria.stop()
    assert mensajeria.event("hecho")(lambda: 1)() == 1, "tampoco si la mensajería no está en marcha"

    assert [linea["event"] for linea in registro if linea["log_level"] == "error"] == ["mensajeria.evento_perdido"] * 5


async def test_los_datos_son_los_de_cuando_termino_aunque_luego_cambien(mensajeria: Mensajeria, url: str) -> None:
    usuario = {"id": 1}
    mensajeria.event("hecho")(lambda: usuario)()
    usuario["id"] = 2
    assert datos(await publicados(url, 1)) == [{"id": 1}]


async def test_con_base_pasa_por_el_outbox_tambien_dentro_de_una_transaccion(url: str, tmp_path: Path) -> None:
    bus = bootstrap(base_datos=f"sqlite:///{tmp_path}/base.db")
    mensajeria = Mensajeria(url, bus=bus, consumir=False)

    @mensajeria.event("hecho", key_field="id")
    def hacer() -> dict[str, int]:
        return {"id": 1}

    def en_transaccion() -> None:
        bus.en_transaccion(lambda t: (t.ambito.get(Session).execute(select(outbox)), hacer()))

    async with mensajeria:
        await asyncio.to_thread(en_transaccion)
    assert bus.motor is not None
    with bus.motor.connect() as conexion:
        assert [(fila.topico, fila.clave) for fila in conexion.execute(select(outbox))] == [("hecho", "1")]
    bus.cerrar()


# --- como valor -----------------------------------------------------------------------------------------------------


async def test_importado_de_seedwork_es_un_valor_sin_efectos_que_una_mensajeria_liga(
    mensajeria: Mensajeria, url: str
) -> None:
    @event("user.created", topic="usuarios", key_field="id")
    def crear(id: int) -> dict[str, int]:
        return {"id": id}

    assert isinstance(crear, Accion)
    assert crear(1) == {"id": 1}, "llamarlo no publica"
    assert mensajeria.acciones == ()
    assert mensajeria.ligar(crear)(2) == {"id": 2}
    assert mensajeria.acciones == (crear,)
    [mensaje] = await publicados(url, 1)
    assert (mensaje.topico, mensaje.clave, datos([mensaje])) == ("usuarios", "2", [{"id": 2}])


@pytest.mark.parametrize("nombre", ["", "a b", "user.*", "user.#"])
def test_un_nombre_que_no_se_puede_publicar_es_un_error_al_declarar_que_nombra_la_funcion(nombre: str) -> None:
    def crear() -> None: ...

    for declarar in (event(nombre), event("bueno", topic=nombre)):
        with pytest.raises(ErrorDeArranque, match="crear"):
            declarar(crear)


def test_un_generador_no_devuelve_nada_que_publicar() -> None:
    def generador() -> Iterator[int]:
        yield 1

    async def generador_async() -> AsyncIterator[int]:
        yield 1

    funciones: list[Callable[..., Any]] = [generador, generador_async]
    for funcion in funciones:
        with pytest.raises(ErrorDeArranque, match=funcion.__name__):
            event("a")(funcion)

"""La saga de un viaje con sus mensajes de verdad, y los servicios que la atienden, cada uno con su libro.

Lo que hacen depende de cómo empieza el id del viaje: `caro` no se paga, `lento` no responde al cobro, `lleno` no tiene
plazas y `mudo` no se puede avisar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.orm import Session
from tests.unit.seedwork import viaje
from tests.unit.seedwork.viaje import VIAJE

from seedwork.aplicacion.mensajes import Despachador
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.sagas.definicion import Saga
from seedwork.aplicacion.sagas.puerto import Sagas
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import Reintentos
from seedwork.infraestructura.sistema import Sistema, bootstrap

COMANDOS, EVENTOS = "viajes-comandos", "viajes-eventos"
metadatos = MetaData()
libro = Table(
    "libro",
    metadatos,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("id_viaje", String(64), nullable=False),
    Column("servicio", String(16), nullable=False),
    Column("que", String(16), nullable=False),
    Column("importe", Integer, nullable=False),
)
_INSISTENTE = Reintentos(maximo=None, espera_s=0.05)


def de_fuera(evento: object) -> Mensaje:
    """El evento como lo publica su servicio."""
    datos = TypeAdapter[Any](type(evento)).dump_python(evento, mode="json")
    return codificar(datos, topico=EVENTOS, servicio="otro", clave=datos["id_viaje"], tipo=type(evento).__name__)


@message_handler(EVENTOS, use_case_name="sagas", reintentos=_INSISTENTE)
def al_pasar_algo(mensaje: Mensaje, sagas: Sagas) -> None:
    tipo: Any = getattr(viaje, mensaje.cabeceras["type"])
    sagas.recibir(TypeAdapter[Any](tipo).validate_json(mensaje.cuerpo), id_mensaje=mensaje.cabeceras["id"])


def _despachar(tipo: Any) -> Callable[..., None]:
    def despachar(comando: Any, despachador: Despachador) -> None:
        datos = TypeAdapter[Any](tipo).dump_python(comando, mode="json")
        despachador.publicar(datos, topico=COMANDOS, clave=comando.id_viaje, tipo=tipo.__name__)

    despachar.__annotations__["comando"] = tipo
    return despachar


def modulo(*sagas: Saga, comandos: Mapping[type, Any] | None = None) -> Modulo:
    """Las sagas con quien despacha lo que mandan y quien les cuenta lo que pasa."""
    mandados = {comando for saga in sagas for comando in saga.comandos}
    return Modulo(
        nombre="viajes",
        comandos={**{comando: _despachar(comando) for comando in mandados}, **(comandos or {})},
        consumidores=[al_pasar_algo],
        sagas=sagas,
    )


@message_handler(COMANDOS, use_case_name="servicios", reintentos=_INSISTENTE)
def atender(mensaje: Mensaje, db: Session, despachador: Despachador) -> None:
    """Cobrar, reservar y avisar; lo que se deshizo antes de hacerse ya no se hace."""
    datos = TypeAdapter(dict[str, Any]).validate_json(mensaje.cuerpo)
    id = datos["id_viaje"]

    def responder(tipo: type, **mas: Any) -> None:
        cuerpo = {"id_viaje": id, **mas}
        despachador.publicar(cuerpo, topico=EVENTOS, clave=id, tipo=tipo.__name__)

    def anotar(servicio: str, que: str, importe: int = 0) -> None:
        db.execute(insert(libro).values(id_viaje=id, servicio=servicio, que=que, importe=importe))

    def cuantos(servicio: str, que: str) -> int:
        filtro = libro.c.id_viaje == id, libro.c.servicio == servicio, libro.c.que == que
        return db.execute(select(func.count()).select_from(libro).where(*filtro)).scalar_one()

    match mensaje.cabeceras["type"]:
        case "Pagar" if id.startswith("caro"):
            responder(viaje.PagoNegado, motivo="sin fondos")
        case "Pagar":
            if not cuantos("caja", "devolver"):
                anotar("caja", "cobrar", datos["monto"])
            if not id.startswith("lento"):
                responder(viaje.Pagado)
        case "DevolverPago":
            anotar("caja", "devolver", -_saldo(db, id))
            responder(viaje.PagoDevuelto)
        case "Reservar" if id.startswith("lleno"):
            responder(viaje.SinPlazas)
        case "Reservar":
            anotar("hotel", "reservar", 1)
            responder(viaje.Reservado)
        case "SoltarReserva":
            anotar("hotel", "soltar", -cuantos("hotel", "reservar"))
        case "Avisar":
            responder(viaje.AvisoImposible if id.startswith("mudo") else viaje.Avisado)
        case "Cancelar":
            anotar("agencia", "cancelar")


def _saldo(db: Session, id: str) -> int:
    suyo = libro.c.id_viaje == id, libro.c.servicio == "caja"
    return db.execute(select(func.coalesce(func.sum(libro.c.importe), 0)).where(*suyo)).scalar_one()


SERVICIOS = Modulo(nombre="servicios", consumidores=[atender])


def armar(base: str, *sagas: Saga, servicios: bool = False, **opciones: Any) -> Sistema:
    """Un sistema con esas sagas (la del viaje, si no se dicen) y, si se quiere, los servicios que las atienden."""
    modulos = [modulo(*(sagas or [VIAJE]), **{k: opciones.pop(k) for k in ("comandos",) if k in opciones})]
    sistema = bootstrap([*modulos, *([SERVICIOS] if servicios else [])], base_datos=base, servicio="viajes", **opciones)
    assert sistema.motor is not None
    metadatos.create_all(sistema.motor)
    return sistema


def saldos(sistema: Sistema, id: str) -> dict[str, int]:
    """Lo que cada servicio tiene apuntado de un viaje."""
    assert sistema.motor is not None
    suma = select(libro.c.servicio, func.sum(libro.c.importe)).where(libro.c.id_viaje == id).group_by(libro.c.servicio)
    with sistema.motor.connect() as conexion:
        return {servicio: int(importe) for servicio, importe in conexion.execute(suma)}

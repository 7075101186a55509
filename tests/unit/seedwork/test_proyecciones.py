"""Una proyección mal declarada no arranca, y la frase dice qué le pasa."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, Table, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from seedwork import ErrorDeArranque, Mensajeria, proyeccion
from seedwork.aplicacion.firmas import FirmaInvalida
from seedwork.infraestructura.proyecciones import Proyeccion, ProyeccionInvalida, reunir_proyecciones

metadatos = MetaData()
saldos = Table("saldos", metadatos, Column("cuenta", Text, primary_key=True), Column("saldo", Integer))
conteo = Table("conteo", metadatos, Column("importe", Text, primary_key=True), Column("n", Integer))
de_otro = Table("ajena", metadatos, Column("id", Text, primary_key=True), schema="otro")
numerada = Table("numerada", metadatos, Column("n", Integer, primary_key=True))


class Movimiento(BaseModel):
    cuenta: str


def aplicar(evento: Movimiento, sesion: Session) -> None: ...
def sin_sesion(evento: Movimiento) -> None: ...
def con_otro_puerto(evento: Movimiento, sesion: Session, reloj: Movimiento) -> None: ...
def sin_parametros() -> None: ...
def sin_tipo(evento, sesion: Session) -> None: ...  # type: ignore[no-untyped-def]
def de_un_texto(evento: str, sesion: Session) -> None: ...
def generadora(evento: Movimiento, sesion: Session) -> Any:
    yield evento


async def corrutina(evento: Movimiento, sesion: Session) -> None: ...
async def con_sesion_async(evento: Movimiento, sesion: AsyncSession) -> None: ...


def declarar(
    funcion: Any = aplicar, *, nombre: str = "saldos", topic: Any = "movimientos", tablas: Any = (saldos,), **mas: Any
) -> Proyeccion:
    return proyeccion(nombre, topic=topic, tablas=tablas, **mas)(funcion)


@pytest.mark.parametrize(
    ("funcion", "frase"),
    [
        (sin_sesion, r"sin_sesion es una proyección: debe ser `def` y recibir el evento y la Session, nada más"),
        (con_otro_puerto, r"con_otro_puerto es una proyección: .* nada más"),
        (corrutina, r"corrutina es una proyección: debe ser `def`"),
        (con_sesion_async, r"con_sesion_async es una proyección: debe ser `def`"),
        (sin_parametros, r"sin_parametros debe recibir el mensaje"),
        (sin_tipo, r"evento de .*sin_tipo no tiene tipo"),
        (de_un_texto, r"El primer parámetro de .*de_un_texto debe ser un modelo pydantic, .* no str"),
        (generadora, r"generadora usa `yield`"),
    ],
    ids=lambda valor: getattr(valor, "__name__", ""),
)
def test_la_funcion_recibe_el_evento_y_la_session_y_nada_mas(funcion: Any, frase: str) -> None:
    with pytest.raises(FirmaInvalida, match=frase):
        declarar(funcion)


@pytest.mark.parametrize(
    ("opciones", "frase"),
    [
        ({"tablas": ()}, "'saldos' no dice en qué tablas escribe"),
        ({"tablas": (de_otro,)}, r"'otro\.ajena' de la proyección 'saldos' dice su schema"),
        ({"tablas": (saldos, numerada)}, "'n' de 'numerada', de la proyección 'saldos', se numera sola"),
        ({"topic": ()}, "saldos no dice de qué tópicos"),
        ({"topic": ["movimientos", "pagos.*"]}, r"'saldos' nombra sus tópicos: 'pagos\.\*' es un patrón"),
        ({"topic": "pagos.#"}, r"'pagos\.#' es un patrón"),
        ({"topic": ["con espacio"]}, "con espacio"),
        ({"orden": "ninguno"}, "El orden de saldos es 'estricto' o 'relajado', no 'ninguno'"),
        ({"concurrencia": 0}, "La concurrencia de saldos"),
        ({"tabla": saldos}, "opciones que no existen: tabla"),
    ],
    ids=str,
)
def test_lo_que_no_se_podria_reconstruir_se_dice_al_declararlo(opciones: dict[str, Any], frase: str) -> None:
    with pytest.raises(ErrorDeArranque, match=frase):
        declarar(**opciones)


@pytest.mark.parametrize(
    ("otra", "frase"),
    [
        (declarar(tablas=(conteo,), suscripcion="otra"), "Hay dos proyecciones que se llaman 'saldos'"),
        (declarar(nombre="totales", tablas=(conteo, saldos)), "'saldos' es de dos proyecciones, 'saldos' y 'totales'"),
    ],
    ids=["nombre", "tabla"],
)
def test_dos_no_comparten_ni_nombre_ni_tabla(otra: Proyeccion, frase: str) -> None:
    with pytest.raises(ProyeccionInvalida, match=frase):
        reunir_proyecciones([declarar(), otra])
    with pytest.raises(ProyeccionInvalida, match=frase):
        Mensajeria("embebido://").incluir(declarar(), otra)
    assert set(reunir_proyecciones([declarar(), declarar(nombre="totales", tablas=(conteo,))])) == {"saldos", "totales"}


async def test_una_mensajeria_con_una_proyeccion_y_sin_base_no_arranca() -> None:
    mensajeria = Mensajeria("embebido://")
    mensajeria.incluir(declarar())
    with pytest.raises(ErrorDeArranque, match="'saldos' vive en una base de datos: dé `base_datos`"):
        await mensajeria.start()

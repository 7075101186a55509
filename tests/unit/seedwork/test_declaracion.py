"""Las declaraciones de consumidores: valores corrientes, y errores que nombran al culpable."""

from __future__ import annotations

import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy.orm import Session

from seedwork import (
    Consumidor,
    ErrorDeArranque,
    Evento,
    Mensaje,
    Mensajeria,
    Reintentos,
    consumer,
    message_handler,
    on_event,
)
from seedwork.aplicacion.bus import HandlerRepetido
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.firmas import FirmaInvalida
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.declaracion import con_suscripcion
from seedwork.infraestructura.sistema import bootstrap

if typing.TYPE_CHECKING:
    from decimal import Decimal as SoloParaTipos


class Pedido(BaseModel):
    id: int


@dataclass(frozen=True)
class Suelto:
    id: int


def sin_parametros() -> None: ...
def sin_tipo(pedido) -> None: ...  # type: ignore[no-untyped-def]
def puerto_sin_tipo(pedido: Pedido, db) -> None: ...  # type: ignore[no-untyped-def]
def con_args(pedido: Pedido, *args: Any) -> None: ...
def con_kwargs(pedido: Pedido, **kwargs: Any) -> None: ...
def solo_por_nombre(pedido: Pedido, *, db: Session) -> None: ...
def tipo_que_no_se_lee(pedido: int) -> None: ...
def tipo_any(pedido: Any) -> None: ...
def tipo_solo_para_tipos(pedido: SoloParaTipos) -> None: ...
def generador(pedido: Pedido) -> Iterator[int]:
    yield 1


async def generador_async(pedido: Pedido) -> AsyncIterator[int]:
    yield 1


@pytest.mark.capacidad("P03")
@pytest.mark.parametrize(
    "funcion",
    [sin_parametros, sin_tipo, puerto_sin_tipo, con_args, con_kwargs, solo_por_nombre, tipo_que_no_se_lee, tipo_any,
     tipo_solo_para_tipos, generador, generador_async],
)  # fmt: skip
@pytest.mark.parametrize("declarar", [on_event("a"), message_handler("a")])
def test_una_firma_que_no_sirve_es_un_error_al_declarar_que_nombra_la_funcion(
    funcion: Callable[..., Any], declarar: Callable[..., Any]
) -> None:
    with pytest.raises(FirmaInvalida, match=funcion.__name__):
        declarar(funcion)


@pytest.mark.capacidad("P03")
@pytest.mark.parametrize("tipo", [Pedido, Suelto, dict, dict[str, Any], Evento, Mensaje])
def test_los_tipos_de_mensaje_que_se_aceptan(tipo: Any) -> None:
    def atender(mensaje: Any) -> None: ...

    atender.__annotations__["mensaje"] = tipo
    assert on_event("a")(atender).rutas[0].firma.mensaje == tipo


def facturar(pedido: Pedido) -> str:
    return f"factura {pedido.id}"


def test_una_declaracion_es_un_valor_sin_efectos_y_la_funcion_se_puede_llamar() -> None:
    uno, otro = on_event("a")(facturar), on_event("a")(facturar)

    assert isinstance(uno, Consumidor)
    assert uno == otro
    assert uno(Pedido(id=1)) == "factura 1"
    assert facturar.__annotations__ == {"pedido": "Pedido", "return": "str"}


def test_message_handler_con_schema_no_cambia_la_funcion() -> None:
    def atender(mensaje) -> None: ...  # type: ignore[no-untyped-def]

    assert message_handler("t", schema=Pedido)(atender).rutas[0].firma.mensaje is Pedido
    assert "mensaje" not in atender.__annotations__


@pytest.mark.parametrize(
    ("nombres", "esperados"),
    [
        (("a.b",), ("a.b",)),
        (("a", "b.*"), ("a", "b.*")),
        (("a, b.#",), ("a", "b.#")),
        ((["a", "b"],), ("a", "b")),
    ],
)
def test_on_event_admite_uno_varios_una_lista_comas_y_comodines(nombres: Any, esperados: tuple[str, ...]) -> None:
    declarado = on_event(*nombres)(facturar)

    assert declarado.topicos == declarado.rutas[0].nombres == esperados


def test_el_topico_el_caso_de_uso_y_la_politica_se_pueden_dar() -> None:
    reintentos = Reintentos(maximo=1, espera_s=2)
    declarado = on_event("a.b", topic=["x", "y"], use_case_name="cobrar", reintentos=reintentos, orden="relajado")(
        facturar
    )

    assert (declarado.topicos, declarado.nombre, declarado.reintentos) == (("x", "y"), "cobrar", reintentos)
    assert con_suscripcion(declarado, "pagos").suscripcion == "pagos.cobrar"


def test_message_handler_entiende_max_retries_y_retry_delay() -> None:
    declarado = message_handler(topic=["a", "b"], max_retries=5, retry_delay=0.5)(facturar)

    assert declarado.topicos == ("a", "b")
    assert (declarado.reintentos.maximo, declarado.reintentos.espera_s) == (5, 0.5)


@pytest.mark.parametrize("nombre", ["", "a b", "a..b", "**", "creación"])
def test_un_nombre_que_no_es_un_topico_nombra_al_culpable(nombre: str) -> None:
    with pytest.raises(ErrorDeArranque, match="facturar"):
        on_event(nombre)(facturar)
    with pytest.raises(ErrorDeArranque, match="facturar"):
        message_handler(nombre)(facturar)


def test_on_event_sin_nombres_es_un_error() -> None:
    with pytest.raises(ErrorDeArranque, match="nombre"):
        on_event()


@pytest.mark.parametrize(
    ("opciones", "frase"),
    [
        ({"orden": "raro"}, "facturar.*'raro'"),
        ({"concurrencia": 0}, "facturar"),
        ({"concurrencia": 9, "prefetch": 3}, "prefetch"),
        ({"max_retry": 3}, "facturar.*max_retry"),
    ],
)
def test_una_opcion_que_no_sirve_o_no_existe_nombra_al_culpable(opciones: dict[str, Any], frase: str) -> None:
    with pytest.raises(ErrorDeArranque, match=frase):
        on_event("a", **opciones)(facturar)


def test_una_clase_consumidora_reune_sus_metodos_tambien_los_heredados() -> None:
    class Base:
        @on_event("a")
        def uno(self, pedido: Pedido) -> str:
            return "uno"

        @on_event("b")
        def dos(self, pedido: Pedido) -> str:
            return "base"

    @consumer("grupo", topics="eventos")
    class Hija(Base):
        @on_event("b", "c")
        def dos(self, pedido: Pedido) -> str:
            return "hija"

    assert (Hija.topicos, Hija.suscripcion) == (("eventos",), "grupo")
    assert [ruta.nombres for ruta in Hija.rutas] == [("a",), ("b", "c")]
    assert Hija().dos(Pedido(id=1)) == "hija"


def test_una_clase_sin_metodos_o_algo_que_no_es_una_clase_es_un_error_que_lo_nombra() -> None:
    class Vacia: ...

    with pytest.raises(FirmaInvalida, match="Vacia"):
        consumer("g", topics=["a"])(Vacia)
    with pytest.raises(FirmaInvalida, match="facturar"):
        consumer("g", topics=["a"])(facturar)  # type: ignore[arg-type]


def test_un_metodo_no_lleva_topico_ni_politica() -> None:
    with pytest.raises(FirmaInvalida, match="uno"):

        class Mala:
            @on_event("a", topic="x")
            def uno(self, pedido: Pedido) -> None: ...


def test_sobre_una_mensajeria_los_mismos_decoradores_declaran_e_incluyen() -> None:
    mensajeria = Mensajeria("embebido://", servicio="s")
    mensajeria.on_event("a")(facturar)
    mensajeria.message_handler("b", use_case_name="b")(facturar)
    mensajeria.incluir(on_event("c", use_case_name="c")(facturar))

    @mensajeria.consumer("grupo", topics=["d"])
    class Clase:
        @mensajeria.on_event("d")
        def uno(self, pedido: Pedido) -> None: ...

    assert [c.suscripcion for c in mensajeria.consumidores] == ["s.facturar", "s.b", "s.c", "grupo"]
    assert isinstance(Clase, Consumidor)


def test_el_topico_por_defecto_vale_para_lo_que_no_dice_el_suyo() -> None:
    mensajeria = Mensajeria("embebido://", topico="todo")

    assert mensajeria.on_event("a.*")(facturar).topicos == ("todo",)
    assert mensajeria.on_event("a.*", topic="x", use_case_name="x")(facturar).topicos == ("x",)


@dataclass(frozen=True)
class Cobrar(Comando[None]):
    id: int


def cobrar(comando: Cobrar) -> None: ...
def cobrar_tambien(comando: Cobrar) -> None: ...


def test_dos_handlers_para_un_mismo_comando_detienen_el_arranque_nombrandolos() -> None:
    modulos = [Modulo(nombre=n, comandos={Cobrar: f}) for n, f in (("uno", cobrar), ("dos", cobrar_tambien))]

    with pytest.raises(HandlerRepetido, match=r"cobrar .*uno.*cobrar_tambien.*dos"):
        bootstrap(modulos)


@pytest.mark.parametrize(
    "opciones",
    [{"maximo": -1}, {"espera_s": -1}, {"espera_s": float("nan")}, {"espera_s": float("inf")}, {"factor": 0.5},
     {"factor": float("nan")}, {"jitter": 2}, {"jitter": -0.1}, {"tope_s": -1}],
)  # fmt: skip
def test_una_politica_sin_sentido_se_rechaza(opciones: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Reintentos"):
        Reintentos(**opciones)


def test_las_esperas_crecen_hasta_el_tope_y_varian_con_el_jitter() -> None:
    politica = Reintentos(maximo=None, espera_s=1, factor=2, tope_s=100)
    assert [politica.espera_tras(n) for n in (1, 2, 3, 8, 5000)] == [1, 2, 4, 100, 100]
    assert not politica.agotados(10**9)

    con_jitter = {Reintentos(espera_s=10, jitter=0.5).espera_tras(1) for _ in range(50)}
    assert len(con_jitter) > 1
    assert all(5 <= espera <= 15 for espera in con_jitter)

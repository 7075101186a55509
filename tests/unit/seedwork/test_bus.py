"""El bus: handlers de todas las formas, y un error de arranque que nombra al culpable de cada descuido."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from seedwork.aplicacion.bus import HandlerRepetido, SinHandler
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.firmas import ErrorDeArranque, FirmaInvalida
from seedwork.aplicacion.mensajes import Entrada
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.queries import Query
from seedwork.dominio.eventos import EventoDominio
from seedwork.infraestructura.dependencias import PuertoRepetido, PuertoSinProveedor
from seedwork.infraestructura.sistema import SinBaseDeDatos, Sistema, bootstrap

if TYPE_CHECKING:
    from decimal import Decimal


class Saludador(Protocol):
    def saludo(self) -> str: ...


class Formal:
    def saludo(self) -> str:
        return "Buenos días"


class Informal:
    def saludo(self) -> str:
        return "Hola"


@dataclass(frozen=True, kw_only=True)
class Saludar(Comando[str]):
    nombre: str


@dataclass(frozen=True, kw_only=True)
class Despedir(Comando[str]):
    nombre: str


@dataclass(frozen=True, kw_only=True)
class Contar(Query[int]):
    texto: str


@dataclass(frozen=True, kw_only=True)
class Saludado(EventoDominio):
    nombre: str


def saludar(comando: Saludar, saludador: Saludador, signo: str) -> str:
    return f"{saludador.saludo()}, {comando.nombre}{signo}"


async def saludar_async(comando: Saludar, saludador: Saludador) -> str:
    await asyncio.sleep(0)
    return f"{saludador.saludo()}, {comando.nombre}"


class SaludarClase:
    def __init__(self, saludador: Saludador) -> None:
        self._saludador = saludador

    def handle(self, comando: Saludar) -> str:
        return f"{self._saludador.saludo()}, {comando.nombre}"


class SaludarClaseAsync(SaludarClase):
    async def handle(self, comando: Saludar) -> str:  # type: ignore[override]
        return super().handle(comando)


def contar(query: Contar) -> int:
    return len(query.texto)


def modulo(**tablas: Any) -> Modulo:
    tablas.setdefault("puertos", {Saludador: Formal, str: "!"})
    return Modulo(nombre="saludos", **tablas)


@contextmanager
def armado(*modulos: Modulo, **opciones: Any) -> Iterator[Sistema]:
    bus = bootstrap(modulos, **opciones)
    yield bus
    bus.cerrar()


@pytest.mark.parametrize("handler", [saludar_async, SaludarClase, SaludarClaseAsync])
async def test_un_handler_es_una_funcion_o_una_clase_sincrono_o_async(handler: Any) -> None:
    with armado(modulo(comandos={Saludar: handler})) as bus:
        assert await bus.ejecutar_async(Saludar(nombre="Ana")) == "Buenos días, Ana"
        assert await asyncio.to_thread(bus.ejecutar, Saludar(nombre="Eva")) == "Buenos días, Eva"


def test_los_puertos_llegan_por_su_tipo_y_se_pueden_reemplazar() -> None:
    with armado(modulo(comandos={Saludar: saludar})) as bus:
        assert bus.ejecutar(Saludar(nombre="Ana")) == "Buenos días, Ana!"
    with armado(modulo(comandos={Saludar: saludar}), puertos={Saludador: Informal(), str: "?"}) as bus:
        assert bus.ejecutar(Saludar(nombre="Ana")) == "Hola, Ana?"


def test_un_puerto_puede_venir_de_una_funcion_que_pide_otros() -> None:
    def saludador(signo: str) -> Saludador:
        assert signo == "!"
        return Informal()

    with armado(modulo(comandos={Saludar: saludar}, puertos={Saludador: saludador, str: "!"})) as bus:
        assert bus.ejecutar(Saludar(nombre="Ana")) == "Hola, Ana!"


async def test_un_handler_que_deja_escapar_stopiteration_falla_y_no_cuelga() -> None:
    def agotado(comando: Saludar) -> str:
        return next(iter(()))

    with armado(modulo(comandos={Saludar: agotado})) as bus:
        async with asyncio.timeout(5):
            with pytest.raises(RuntimeError, match="StopIteration"):
                await bus.ejecutar_async(Saludar(nombre="Ana"))


async def test_una_query_responde_y_corre_tambien_en_el_loop() -> None:
    with armado(modulo(queries={Contar: contar})) as bus:
        assert bus.ejecutar(Contar(texto="hola")) == await bus.ejecutar_async(Contar(texto="hola")) == 4


@pytest.mark.capacidad("A04")
@pytest.mark.capacidad("B02")
def test_un_comando_sin_handler_o_con_dos_es_un_error_que_los_nombra() -> None:
    with (
        armado(modulo(comandos={Saludar: saludar})) as bus,
        pytest.raises(SinHandler, match=r"Ningún módulo atiende .*test_bus\.Despedir"),
    ):
        bus.ejecutar(Despedir(nombre="Ana"))
    with pytest.raises(
        HandlerRepetido,
        match=r"test_bus\.Saludar tiene dos handlers: .*\.saludar \(módulo saludos\) y .*SaludarClase \(módulo otro\)",
    ):
        bootstrap([modulo(comandos={Saludar: saludar}), Modulo(nombre="otro", comandos={Saludar: SaludarClase})])


def _sin_parametros() -> None: ...


def _sin_tipo(comando: Saludar, saludador) -> None: ...  # type: ignore[no-untyped-def]


def _solo_al_comprobar(comando: Saludar, precio: Decimal) -> None: ...


def _con_asterisco(comando: Saludar, *saludadores: Saludador) -> None: ...


def _solo_por_nombre(comando: Saludar, *, saludador: Saludador) -> None: ...


def _de_otro(comando: Despedir) -> None: ...


def _pide_desconocido(comando: Saludar, numero: float) -> None: ...


def _tipo_roto(comando: Saludar, algo: asyncio.NoExiste) -> None: ...  # type: ignore[name-defined]


class _SinHandle:
    pass


class _HandleConPuertos:
    def handle(self, comando: Saludar, saludador: Saludador) -> None: ...


class _ConstructorSinTipo:
    def __init__(self, saludador) -> None: ...  # type: ignore[no-untyped-def]

    def handle(self, comando: Saludar) -> None: ...


@pytest.mark.parametrize(
    ("handler", "error", "frase"),
    [
        (_sin_parametros, FirmaInvalida, "_sin_parametros debe recibir el mensaje"),
        (_sin_tipo, FirmaInvalida, "El parámetro saludador de .*_sin_tipo no tiene tipo"),
        (_solo_al_comprobar, FirmaInvalida, "'Decimal' de la firma de .*_solo_al_comprobar .* TYPE_CHECKING"),
        (_con_asterisco, FirmaInvalida, r"_con_asterisco no puede recibir \*saludadores"),
        (_solo_por_nombre, FirmaInvalida, "El parámetro saludador de .*_solo_por_nombre"),
        (_de_otro, FirmaInvalida, r"_de_otro atiende .*\.Saludar pero su primer parámetro es de tipo .*\.Despedir"),
        (_pide_desconocido, PuertoSinProveedor, "_pide_desconocido pide builtins.float y ningún módulo lo provee"),
        (_tipo_roto, FirmaInvalida, "_tipo_roto no se entienden: .*NoExiste"),
        (_SinHandle, FirmaInvalida, "_SinHandle es una clase handler sin método"),
        (_HandleConPuertos, FirmaInvalida, r"_HandleConPuertos\.handle recibe sólo el mensaje"),
        (_ConstructorSinTipo, FirmaInvalida, "El parámetro saludador de .*_ConstructorSinTipo no tiene tipo"),
    ],
)
def test_un_handler_mal_hecho_detiene_el_arranque_y_lo_nombra(handler: Any, error: Any, frase: str) -> None:
    with pytest.raises(error, match=frase):
        bootstrap([modulo(comandos={Saludar: handler})])


def test_un_puerto_sin_proveedor_en_la_cadena_nombra_a_quien_lo_pide() -> None:
    def saludador(algo: float) -> Saludador:
        raise NotImplementedError

    with pytest.raises(PuertoSinProveedor, match=r"saludador pide builtins\.float"):
        bootstrap([modulo(puertos={Saludador: saludador})])


class Huevo:
    def __init__(self, gallina: Gallina) -> None: ...


class Gallina:
    def __init__(self, huevo: Huevo) -> None: ...


def test_un_circulo_de_puertos_se_nombra_entero() -> None:
    with pytest.raises(ErrorDeArranque, match=r"círculo: .*\.Huevo -> .*\.Gallina -> .*\.Huevo"):
        bootstrap([modulo(puertos={Huevo: Huevo, Gallina: Gallina})])


def test_dos_modulos_no_proveen_el_mismo_puerto_salvo_que_sea_el_mismo_proveedor() -> None:
    with armado(modulo(puertos={Saludador: Formal}), Modulo(nombre="b", puertos={Saludador: Formal})):
        pass
    with pytest.raises(PuertoRepetido, match=r"Saludador tiene dos proveedores: en los módulos saludos y b"):
        bootstrap([modulo(puertos={Saludador: Formal}), Modulo(nombre="b", puertos={Saludador: Informal})])


def test_una_query_no_va_en_la_tabla_de_comandos_ni_al_reves() -> None:
    with pytest.raises(ErrorDeArranque, match=r"Contar no va en `comandos` del módulo saludos"):
        bootstrap([modulo(comandos={Contar: contar})])
    with pytest.raises(ErrorDeArranque, match=r"Saludar no va en `queries` del módulo saludos"):
        bootstrap([modulo(queries={Saludar: saludar})])


def _atiende_otro(evento: Despedir) -> None: ...


def _atiende_base(evento: EventoDominio) -> None: ...


def _atiende_union(evento: Saludado | Despedir) -> None: ...


async def _atiende_async(evento: Saludado) -> None: ...


def test_un_handler_de_evento_admite_su_tipo_una_base_o_una_union_y_no_otra_cosa() -> None:
    with armado(modulo(eventos={Saludado: [_atiende_base, _atiende_union]})):
        pass
    with pytest.raises(FirmaInvalida, match=r"_atiende_otro atiende .*\.Saludado pero"):
        bootstrap([modulo(eventos={Saludado: [_atiende_otro]})])
    with pytest.raises(FirmaInvalida, match=r"_atiende_async .* debe ser `def`"):
        bootstrap([modulo(eventos={Saludado: [_atiende_async]})])


def test_un_comando_del_paquete_que_falta_en_las_tablas_detiene_el_arranque(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aplicacion = tmp_path / "contexto_de_prueba" / "aplicacion"
    (aplicacion / "comandos").mkdir(parents=True)
    for carpeta in (aplicacion.parent, aplicacion, aplicacion / "comandos"):
        (carpeta / "__init__.py").write_text("")
    (aplicacion / "comandos" / "olvidar.py").write_text(
        "from seedwork.aplicacion.comandos import Comando\nclass Olvidar(Comando[None]): pass\n"
        "def olvidar(comando: Olvidar) -> None: ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(SinHandler, match=r"Olvidar no tiene handler: falta en `comandos` del módulo saludos"):
        bootstrap([modulo(paquete="contexto_de_prueba")])

    from contexto_de_prueba.aplicacion.comandos.olvidar import (  # type: ignore[import-not-found]
        Olvidar,
        olvidar,
    )

    with armado(modulo(paquete="contexto_de_prueba", comandos={Olvidar: olvidar})):
        pass


def test_sin_base_de_datos_no_hay_transacciones_y_se_dice() -> None:
    with (
        armado(modulo(comandos={Saludar: saludar})) as bus,
        pytest.raises(SinBaseDeDatos, match="dé `base_datos` a bootstrap"),
    ):
        bus.ejecutar_una_vez(Saludar(nombre="Ana"), Entrada(suscripcion="s", id="1"))


def test_los_errores_del_handler_salen_tal_cual() -> None:
    def fallar(comando: Saludar) -> str:
        raise KeyError(comando.nombre)

    with armado(modulo(comandos={Saludar: fallar})) as bus, pytest.raises(KeyError, match="Ana"):
        bus.ejecutar(Saludar(nombre="Ana"))

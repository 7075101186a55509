"""La forma declarativa de consumir: valores corrientes, sin efectos al importarlos.

Una función (`on_event`, `message_handler`) o una clase (`consumer`) decoradas son un `Consumidor`: un `Modulo` lo lista
o una `Mensajeria` lo incluye. Una firma que no sirve es un error aquí, al declarar.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import FunctionType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from seedwork.aplicacion.firmas import ErrorDeArranque, Firma, FirmaInvalida, firma_de, nombre_de
from seedwork.infraestructura.brokers import Mensaje, compilar_patrones
from seedwork.infraestructura.politica import Reintentos

Orden = Literal["estricto", "relajado"]


@dataclass(frozen=True, kw_only=True)
class Ruta:
    """Una función y los nombres de evento (o patrones) que atiende; sin nombres, los atiende todos."""

    funcion: Callable[..., Any]
    firma: Firma
    nombres: tuple[str, ...] = ()

    def __call__(self, *argumentos: Any, **opciones: Any) -> Any:
        return self.funcion(*argumentos, **opciones)

    def __get__(self, instancia: Any, clase: Any = None) -> Any:
        return self if instancia is None else self.funcion.__get__(instancia, clase)


@dataclass(frozen=True, kw_only=True)
class Consumidor:
    """Lo que hay que saber para consumir: de dónde, en nombre de quién, con qué y cómo se falla.

    `suscripcion` es el grupo: sus instancias se reparten los mensajes. Con orden "estricto" un fallo retiene lo que
    sigue de su misma clave; con "relajado", lo demás pasa. `concurrencia` es cuántos mensajes se atienden a la vez y
    `prefetch` cuántos se tienen tomados. Un error de los `permanentes` no se reintenta; uno de los `esperados` se
    reintenta como cualquiera, pero es parte de lo normal y no se registra.
    """

    nombre: str
    topicos: tuple[str, ...]
    rutas: tuple[Ruta, ...]
    suscripcion: str | None = None
    clase: type | None = None
    reintentos: Reintentos = field(default_factory=Reintentos)
    orden: Orden = "estricto"
    concurrencia: int = 8
    prefetch: int = 100
    permanentes: tuple[type[Exception], ...] = ()
    esperados: tuple[type[Exception], ...] = ()
    auto_start: bool = True

    def __post_init__(self) -> None:
        if not self.topicos:
            raise ErrorDeArranque(f"El consumidor {self.nombre} no dice de qué tópicos")
        _exigir_patrones(self.topicos, self.nombre)
        if self.orden not in ("estricto", "relajado"):
            raise ErrorDeArranque(f"El orden de {self.nombre} es 'estricto' o 'relajado', no {self.orden!r}")
        if not 1 <= self.concurrencia <= self.prefetch:
            raise ErrorDeArranque(f"La concurrencia de {self.nombre} debe estar entre 1 y su prefetch")

    def __call__(self, *argumentos: Any, **opciones: Any) -> Any:
        """Llama a la función o clase declarada, tal cual: para probarla sin broker."""
        return (self.clase or self.rutas[0].funcion)(*argumentos, **opciones)


C = TypeVar("C", bound=Consumidor)


def on_event(
    *nombres: str | Sequence[str],
    use_case_name: str | None = None,
    topic: str | Sequence[str] | None = None,
    reintentos: Reintentos | None = None,
    **opciones: Any,
) -> Callable[[Callable[..., Any]], Any]:
    """Declara quién atiende esos eventos, uno, varios o por comodín (`user.*`), y su caso de uso.

    El tópico, si no se da, es el propio nombre del evento. En un método de una clase `consumer` sólo dice los nombres.
    """
    planos = aplanar(nombres)

    def declarar(funcion: Callable[..., Any]) -> Any:
        _exigir_patrones(planos, nombre_de(funcion))
        if _es_metodo(funcion):
            if use_case_name or topic or reintentos or opciones:
                raise FirmaInvalida(f"{nombre_de(funcion)} es un método: su tópico y su política van en `consumer`")
            return Ruta(funcion=funcion, firma=_firma_metodo(funcion), nombres=planos)
        return construir(
            Consumidor,
            funcion,
            nombre=use_case_name or funcion.__name__,
            topicos=aplanar((topic,)) if topic is not None else planos,
            rutas=(Ruta(funcion=funcion, firma=firma_de_consumo(funcion), nombres=planos),),
            reintentos=reintentos,
            **opciones,
        )

    if not planos:
        raise ErrorDeArranque("`on_event` necesita al menos un nombre de evento")
    return declarar


def message_handler(
    topic: str | Sequence[str],
    *,
    use_case_name: str | None = None,
    schema: type | None = None,
    max_retries: int | None = None,
    retry_delay: float | None = None,
    reintentos: Reintentos | None = None,
    **opciones: Any,
) -> Callable[[Callable[..., Any]], Consumidor]:
    """Declara una función que atiende todo lo de uno o varios tópicos.

    `max_retries` y `retry_delay` (segundos) son la forma breve de `reintentos`; `schema` da el tipo del mensaje si la
    función no lo anota.
    """
    if reintentos is None and (max_retries is not None or retry_delay is not None):
        base = Reintentos()
        reintentos = Reintentos(
            maximo=base.maximo if max_retries is None else max_retries,
            espera_s=base.espera_s if retry_delay is None else retry_delay,
        )

    def declarar(funcion: Callable[..., Any]) -> Consumidor:
        return construir(
            Consumidor,
            funcion,
            nombre=use_case_name or funcion.__name__,
            topicos=aplanar((topic,)),
            rutas=(Ruta(funcion=funcion, firma=firma_de_consumo(funcion, schema)),),
            reintentos=reintentos,
            **opciones,
        )

    return declarar


def consumer(
    group_id: str, *, topics: str | Sequence[str], reintentos: Reintentos | None = None, **opciones: Any
) -> Callable[[type], Consumidor]:
    """Declara una clase cuyos métodos `on_event` atienden eventos de esos tópicos, con sus puertos en el constructor.

    Los eventos que ningún método nombra se confirman sin hacer nada.
    """

    def declarar(clase: type) -> Consumidor:
        if not inspect.isclass(clase):
            raise FirmaInvalida(f"`consumer` declara una clase, y {nombre_de(clase)} no lo es: use `on_event`")
        miembros = {nombre: valor for base in reversed(clase.__mro__) for nombre, valor in vars(base).items()}
        rutas = tuple(valor for valor in miembros.values() if isinstance(valor, Ruta))
        if not rutas:
            raise FirmaInvalida(f"{nombre_de(clase)} no tiene ningún método con `on_event`")
        return construir(
            Consumidor,
            clase,
            nombre=group_id,
            suscripcion=group_id,
            topicos=aplanar((topics,)),
            rutas=rutas,
            clase=clase,
            reintentos=reintentos,
            **opciones,
        )

    return declarar


def con_suscripcion(consumidor: C, servicio: str) -> C:
    """El consumidor con su grupo decidido: el que declara o `<servicio>.<caso de uso>`."""
    return consumidor if consumidor.suscripcion else replace(consumidor, suscripcion=f"{servicio}.{consumidor.nombre}")


def es_sesion_async(tipo: Any) -> bool:
    """Si `tipo` es la `AsyncSession` de SQLAlchemy; si nadie la ha importado, no puede serlo."""
    modulo = sys.modules.get("sqlalchemy.ext.asyncio")
    return modulo is not None and tipo is modulo.AsyncSession


def construir(tipo: type[C], quien: Any, *, reintentos: Reintentos | None, **opciones: Any) -> C:
    """El consumidor de ese tipo que `quien` declara; `ErrorDeArranque` si le da opciones que no existen."""
    if desconocidas := opciones.keys() - {campo.name for campo in fields(tipo)}:
        raise ErrorDeArranque(f"{nombre_de(quien)} se declara con opciones que no existen: {', '.join(desconocidas)}")
    return tipo(**opciones) if reintentos is None else tipo(reintentos=reintentos, **opciones)


def _exigir_patrones(patrones: Sequence[str], quien: str) -> None:
    try:
        compilar_patrones(patrones)
    except ErrorDeArranque as error:
        raise ErrorDeArranque(f"{quien}: {error}") from error


def aplanar(nombres: Sequence[str | Sequence[str]]) -> tuple[str, ...]:
    """Cada nombre por su lado; admite también una lista, y varios nombres en un texto separados por comas."""
    textos = [n for nombre in nombres for n in ((nombre,) if isinstance(nombre, str) else nombre)]
    return tuple(parte.strip() for texto in textos for parte in texto.split(","))


def _es_metodo(funcion: Callable[..., Any]) -> bool:
    contenedor = funcion.__qualname__.rpartition(".")[0]
    return bool(contenedor) and not contenedor.endswith("<locals>")


def _firma_metodo(funcion: Callable[..., Any]) -> Firma:
    return _comprobar(funcion, firma_de(funcion.__get__(object()), nombre_de(funcion)))


def firma_de_consumo(funcion: Callable[..., Any], tipo: type | None = None) -> Firma:
    """La firma de una función que atiende mensajes, de `tipo` si se da; `FirmaInvalida` si no sirve."""
    if tipo is None or not inspect.isfunction(funcion):
        return _comprobar(funcion, firma_de(funcion))
    primero = next(iter(inspect.signature(funcion).parameters), "")
    anotada = FunctionType(
        funcion.__code__, funcion.__globals__, funcion.__name__, funcion.__defaults__, funcion.__closure__
    )
    anotada.__annotations__ = {**funcion.__annotations__, primero: tipo}
    anotada.__kwdefaults__ = funcion.__kwdefaults__
    return _comprobar(funcion, firma_de(anotada, nombre_de(funcion)))


def _comprobar(funcion: Callable[..., Any], firma: Firma) -> Firma:
    if inspect.isgeneratorfunction(funcion) or inspect.isasyncgenfunction(funcion):
        raise FirmaInvalida(f"{nombre_de(funcion)} usa `yield`: un handler devuelve lo que publica, en una lista")
    if not firma.es_async and any(es_sesion_async(puerto) for puerto in firma.puertos):
        raise FirmaInvalida(f"{nombre_de(funcion)} pide AsyncSession: debe ser `async def`, o pedir Session")
    tipo = firma.mensaje
    if tipo is Mensaje or tipo is dict or getattr(tipo, "__origin__", None) is dict or is_dataclass(tipo):
        return firma
    if isinstance(tipo, type) and issubclass(tipo, BaseModel):
        return firma
    raise FirmaInvalida(
        f"El primer parámetro de {nombre_de(funcion)} debe ser un modelo pydantic, una dataclass, dict, Evento o"
        f" Mensaje, no {getattr(tipo, '__name__', tipo)}"
    )

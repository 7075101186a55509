"""El puerto de un broker, y `conectar(url)`.

Lo que promete, igual en todos: `publicar` vuelve cuando el broker acusó el lote entero; cada suscripción recibe una
copia y sus consumidores se la reparten; lo de una misma clave llega en orden y a un solo consumidor a la vez; una
suscripción nueva empieza por lo más viejo que se conserve; lo no confirmado vuelve a entregarse.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from seedwork.aplicacion.firmas import ErrorDeArranque

if TYPE_CHECKING:
    from dataclasses import dataclass as congelada
else:

    def congelada(*, frozen, **opciones):
        """Que nadie las cambie lo vigila mypy: en ejecución, triplicaría lo que cuesta hacer cada mensaje."""
        del frozen
        return dataclass(**opciones)


@congelada(frozen=True, slots=True, kw_only=True)
class Mensaje:
    """Lo que viaja. Las cabeceras llevan como texto los atributos de CloudEvents (`id`, `type`, `time`...)."""

    topico: str
    cuerpo: bytes
    clave: str | None = None
    cabeceras: Mapping[str, str] = field(default_factory=dict)


@congelada(frozen=True, slots=True)
class Entrega:
    """Un mensaje en manos de un consumidor, que debe confirmarlo, reintentarlo, desecharlo o devolverlo.

    `intentos` cuenta los que ya fallaron. `sospechosa` dice que el consumidor que la tenía murió con ella.
    """

    mensaje: Mensaje
    intentos: int
    sospechosa: bool
    referencia: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LetraMuerta:
    """Un mensaje apartado: los bytes intactos, por qué y tras cuántos intentos."""

    id: str
    suscripcion: str
    mensaje: Mensaje
    motivo: str
    intentos: int
    fecha_ms: int


class Suscripcion(Protocol):
    """Un consumidor dentro de una suscripción."""

    async def recibir(self, maximo: int, excepto: Collection[str] = ()) -> list[Entrega]:
        """Espera hasta que haya algo y entrega hasta `maximo`, pocos si son grandes.

        Nada de las claves de `excepto`: este consumidor las retiene. Lista vacía sólo si la suscripción se cerró.
        Cancelarla no pierde nada.
        """
        ...

    async def confirmar(self, entregas: Sequence[Entrega]) -> None: ...

    async def iniciar(self, entrega: Entrega) -> int:
        """Cuenta un intento, de forma durable, antes de empezarlo; devuelve los que van con éste."""
        ...

    async def reintentar(self, entrega: Entrega, espera_s: float) -> None:
        """Vuelve a entregarla pasada la espera, a esta suscripción sola; cuenta un intento fallido."""
        ...

    async def desechar(self, entrega: Entrega, motivo: str) -> None:
        """La aparta como letra muerta, con sus bytes intactos, y la confirma, todo en un paso."""
        ...

    async def devolver(self, entregas: Sequence[Entrega]) -> None:
        """Las deja para cualquier consumidor, con los intentos que dice cada una: el que hubiera en curso no cuenta."""
        ...

    async def cerrar(self) -> None: ...


class Lector(Protocol):
    """Una lectura efímera: una copia propia que no deja nada en el broker cuando termina."""

    async def recibir(self, maximo: int) -> list[Mensaje]: ...

    async def cerrar(self) -> None: ...


class LetrasMuertas(Protocol):
    """Las letras muertas de cada suscripción; esperan hasta que alguien decida."""

    async def listar(self, suscripcion: str | None = None, *, maximo: int = 100) -> list[LetraMuerta]: ...

    async def ver(self, id: str) -> LetraMuerta | None: ...

    async def reenviar(self, id: str) -> bool:
        """La devuelve a su suscripción, y a ninguna otra; False si no existe."""
        ...

    async def descartar(self, id: str) -> bool: ...


class Broker(Protocol):
    """Un broker conectado; se usa desde un solo event loop."""

    letras_muertas: LetrasMuertas

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        """Publica el lote en orden y vuelve con el acuse; `BrokerNoDisponible` o `MensajeNoPublicable` si no pudo."""
        ...

    async def suscribir(self, suscripcion: str, topicos: Sequence[str], *, desde: str = "inicio") -> Suscripcion:
        """Crea la suscripción si no existe (`desde`: "inicio" o "fin") y entra en ella como un consumidor más."""
        ...

    async def leer(self, topicos: Sequence[str], *, desde_hace_s: float = 0) -> Lector:
        """Empieza una lectura efímera por lo publicado en los últimos `desde_hace_s` segundos."""
        ...

    async def comprobar(self) -> None:
        """Vuelve si el broker responde; si no, `BrokerNoDisponible`."""
        ...

    async def cerrar(self) -> None: ...


class RegistroEsquemas(Protocol):
    """Dónde guarda un broker los esquemas Avro de cada tópico, para quien no tenga los `.avsc`."""

    async def registrar(self, topico: str, revisiones: Sequence[Mapping[str, Any]]) -> int:
        """Registra en un tópico las que falten, de la más vieja a la más nueva, y dice cuántas; repetirlo no hace nada.

        Desde entonces el broker no acepta allí ninguna que no se entienda con todas. Lanza `EsquemaRechazado` si ya hay
        alguna con la que no se entienden, y `BrokerNoDisponible` si el registro no responde.
        """
        ...

    async def buscar(self, topico: str, huella: str) -> dict[str, Any] | None:
        """El esquema registrado en un tópico con esa huella; None si todavía no está."""
        ...


@runtime_checkable
class BrokerConEsquemas(Broker, Protocol):
    """El que además tiene un registro de esquemas."""

    esquemas: RegistroEsquemas


class ErrorBroker(Exception):
    """Base de los errores de un broker."""


class BrokerNoDisponible(ErrorBroker):
    """El broker no responde o no acusó a tiempo: pasará; se puede volver a intentar."""


class BrokerCerrado(ErrorBroker):
    """Lo cerró este mismo programa: no volverá, y no sirve insistir."""


class EsquemaRechazado(ErrorBroker):
    """El registro no acepta un esquema: no se entiende con los que ya tiene, o no es Avro para él."""


class MensajeNoPublicable(ErrorBroker):
    """Ese mensaje no se puede publicar nunca (demasiado grande, tópico inválido...); `mensaje` es el culpable."""

    def __init__(self, mensaje: Mensaje, motivo: str) -> None:
        super().__init__(motivo)
        self.mensaje = mensaje


class URLBrokerInvalida(ErrorDeArranque):
    """La URL del broker no se entiende o nombra un broker que no existe."""


_ADAPTADORES = {
    "amqp": "rabbitmq",
    "amqps": "rabbitmq",
    "embebido": "embebido",
    "kafka": "kafka",
    "pulsar": "pulsar",
    "pulsar+ssl": "pulsar",
    "redis": "redis",
    "rediss": "redis",
}
# Sólo ASCII: es lo que admiten todos los brokers.
_TOPICO = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)
_PATRON = re.compile(r"([\w-]+|\*|#)(\.([\w-]+|\*|#))*", re.ASCII)
TOPICO_MAXIMO = 200


def conectar(url: str) -> Broker:
    """El broker de `url`; no abre nada hasta que se usa. Lanza `URLBrokerInvalida` con una frase que la nombra."""
    esquema, separador, _ = url.partition("://")
    if not separador or esquema not in _ADAPTADORES:
        conocidos = ", ".join(f"{nombre}://" for nombre in _ADAPTADORES)
        raise URLBrokerInvalida(f"No hay broker para {sin_clave(url)!r}: las URL conocidas empiezan por {conocidos}")
    modulo = importlib.import_module(f"{__name__}.{_ADAPTADORES[esquema]}")
    broker: Broker = modulo.conectar(url)
    return broker


def sin_clave(url: str) -> str:
    """La URL sin su contraseña, para poder escribirla en un registro."""
    return re.sub(r"(?s)://([^:@/]*):.*@", r"://\1:***@", url)


def validar(mensaje: Mensaje, tamano_maximo: int) -> None:
    """Lanza `MensajeNoPublicable` si el tópico no son palabras separadas por puntos, si no cabe o si no es UTF-8."""
    if len(mensaje.topico) > TOPICO_MAXIMO or not _TOPICO.fullmatch(mensaje.topico):
        raise MensajeNoPublicable(
            mensaje, f"{mensaje.topico!r} no es un tópico: use palabras sin tildes separadas por puntos"
        )
    try:
        textos = "".join((mensaje.clave or "", *mensaje.cabeceras, *mensaje.cabeceras.values())).encode()
    except UnicodeEncodeError as error:
        raise MensajeNoPublicable(mensaje, f"La clave o una cabecera no se puede escribir en UTF-8: {error}") from error
    tamano = len(mensaje.cuerpo) + len(textos)
    if tamano > tamano_maximo:
        raise MensajeNoPublicable(mensaje, f"El mensaje mide {tamano} bytes y el máximo es {tamano_maximo}")


def compilar_patrones(patrones: Sequence[str]) -> Callable[[str], bool]:
    """Un predicado sobre tópicos: `*` es una palabra y `#` cualquier número de ellas, también ninguna."""
    for patron in patrones:
        if not _PATRON.fullmatch(patron):
            raise ErrorDeArranque(
                f"{patron!r} no es un tópico ni un patrón: use palabras sin tildes, `*` o `#` separadas por puntos"
            )
    divididos = [patron.split(".") for patron in patrones]

    @lru_cache(maxsize=1024)
    def coincide(topico: str) -> bool:
        return any(_coincide(patron, topico.split(".")) for patron in divididos)

    return coincide


def _coincide(patron: list[str], palabras: list[str]) -> bool:
    if not patron:
        return not palabras
    if patron[0] == "#":
        return any(_coincide(patron[1:], palabras[i:]) for i in range(len(palabras) + 1))
    return bool(palabras) and patron[0] in ("*", palabras[0]) and _coincide(patron[1:], palabras[1:])

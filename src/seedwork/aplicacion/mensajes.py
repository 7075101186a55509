"""Los puertos por los que la aplicación habla con otros servicios, y la identidad de lo que recibe de ellos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Entrada:
    """Lo que identifica a un mensaje recibido: procesarlo dos veces tiene un solo efecto (patrón inbox).

    `huella` resume el contenido; el mismo `id` con otra huella no es una repetición, es un choque.
    """

    suscripcion: str
    id: str
    huella: str | None = None


class YaProcesada(Exception):
    """La entrada ya tuvo su efecto; `resultado` es lo que devolvió entonces su handler, como texto."""

    def __init__(self, entrada: Entrada, resultado: str | None) -> None:
        super().__init__(f"El mensaje {entrada.id} ya fue procesado por {entrada.suscripcion}")
        self.entrada = entrada
        self.resultado = resultado


class HuellaDistinta(Exception):
    """El id de la entrada ya se usó con otro contenido."""

    def __init__(self, entrada: Entrada) -> None:
        super().__init__(f"El identificador {entrada.id} ya se usó con un contenido distinto")
        self.entrada = entrada


class Inbox(Protocol):
    """El registro de las entradas que ya tuvieron efecto, escrito en la transacción del efecto."""

    def anotar(self, entrada: Entrada) -> None:
        """Anota la entrada; lanza `YaProcesada`, o `HuellaDistinta` si el id vino con otro contenido."""
        ...

    def responder(self, entrada: Entrada, resultado: str) -> None:
        """Guarda junto a la entrada lo que devolvió su handler."""
        ...

    def vista(self, entrada: Entrada) -> bool:
        """Si la entrada ya tuvo efecto, sin anotarla."""
        ...

    def olvidar(self, entrada: Entrada) -> None:
        """Quita la entrada, si estaba: la próxima vez será la primera."""
        ...


class Despachador(Protocol):
    """Publica mensajes de integración: salen si, y sólo si, la transacción en curso se confirma."""

    def publicar(
        self,
        mensaje: object,
        *,
        topico: str,
        clave: str | None = None,
        id: str | None = None,
        tipo: str | None = None,
        fecha: datetime | None = None,
        cabeceras: Mapping[str, str] | None = None,
    ) -> None:
        """Deja `mensaje` en el outbox; `clave` fija el orden. Lo que falte se toma del sobre del propio mensaje."""
        ...


class Reloj(Protocol):
    """De dónde sale la hora, para poder fijarla en una prueba."""

    def ahora(self) -> datetime:
        """El instante actual, con zona."""
        ...

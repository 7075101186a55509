"""La tabla de cableado de un contexto acotado: su índice, sin efectos al importarla."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seedwork.aplicacion.sagas.definicion import Saga

Handler = Callable[..., Any]
"""Una función `(mensaje, puertos por tipo...)`, o una clase con puertos en el constructor y `handle(mensaje)`."""


@dataclass(frozen=True)
class TrasConfirmar:
    """Un handler de eventos que corre cuando la transacción ya se confirmó, en la suya propia."""

    handler: Handler

    def __call__(self, *argumentos: Any, **opciones: Any) -> Any:
        return self.handler(*argumentos, **opciones)


def tras_confirmar(handler: Handler) -> TrasConfirmar:
    """Marca en `eventos` un handler, síncrono o `async def`, que no es parte de la transacción del comando.

    Sin la marca corre dentro de ella y, si falla, no queda nada. Con la marca corre después: si falla, lo del comando
    queda y el error se registra (`subir_errores_de_eventos` lo lanza). Si el proceso muere antes, no corre: lo que no
    se pueda perder va por el outbox.
    """
    return TrasConfirmar(handler)


@dataclass(frozen=True, kw_only=True)
class Modulo:
    """Quién atiende qué y quién provee qué en un contexto.

    `puertos` lleva de un tipo a quien lo provee: una clase o función (se construye por tipo, para cada mensaje si
    depende de la unidad de trabajo y una sola vez si no) o un objeto ya hecho. `paquete` es el paquete del contexto
    (`__package__`): con él, un comando o una query suyos que falten en las tablas detienen el arranque.
    Lo que mandan sus `sagas` lo despachan handlers de `comandos`. `publica` lleva de cada tópico a los mensajes que
    este contexto pone en él: de eso y de `consumidores` sale el mapa de quién habla con quién.
    """

    nombre: str
    comandos: Mapping[type, Handler] = field(default_factory=dict)
    queries: Mapping[type, Handler] = field(default_factory=dict)
    eventos: Mapping[type, Sequence[Handler]] = field(default_factory=dict)
    puertos: Mapping[Any, Any] = field(default_factory=dict)
    consumidores: Sequence[Any] = ()
    publica: Mapping[str, Sequence[type]] = field(default_factory=dict)
    sagas: Sequence[Saga] = ()
    migraciones: Sequence[Any] = ()
    paquete: str | None = None

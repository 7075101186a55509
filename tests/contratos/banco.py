"""Lo que la batería del broker necesita de cada adaptador, y cómo se le pregunta."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from seedwork.infraestructura.brokers import Broker, Entrega, LetraMuerta, Mensaje, Suscripcion, conectar

PLAZO_S = 15.0


@dataclass
class Banco:
    """Un broker real en `url`. `vida_s` es lo más que tarda lo de un consumidor muerto en pasar a otro.

    `de_un_proceso` dice que sólo lo ve el objeto que lo abrió (la memoria); los demás se comparten.
    """

    url: str
    vida_s: float
    tamano_maximo: int
    de_un_proceso: bool = False
    prefijo: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:12]}")
    _abiertos: list[Broker] = field(default_factory=list)

    def broker(self) -> Broker:
        """Una conexión propia, que se cierra al terminar la prueba."""
        if self.de_un_proceso and self._abiertos:
            return self._abiertos[0]
        self._abiertos.append(conectar(self.url))
        return self._abiertos[-1]

    def topico(self, resto: str = "cosas") -> str:
        """Un tópico que no usa ninguna otra prueba."""
        return f"{self.prefijo}.{resto}"

    def suscripcion(self, nombre: str = "s") -> str:
        return f"{self.prefijo}-{nombre}"

    async def cerrar(self) -> None:
        for broker in self._abiertos:
            await broker.cerrar()


def mensajes(topico: str, cuantos: int, clave: str | None = None, desde: int = 0) -> list[Mensaje]:
    return [Mensaje(topico=topico, cuerpo=str(i).encode(), clave=clave) for i in range(desde, desde + cuantos)]


def cuerpos(recibido: Sequence[Entrega] | Sequence[Mensaje]) -> list[str]:
    return [(r.mensaje if isinstance(r, Entrega) else r).cuerpo.decode() for r in recibido]


async def tomar(suscripcion: Suscripcion, cuantas: int, plazo_s: float = PLAZO_S) -> list[Entrega]:
    """Exactamente `cuantas` entregas, antes del plazo."""
    tomadas: list[Entrega] = []
    async with asyncio.timeout(plazo_s):
        while len(tomadas) < cuantas:
            tomadas += await suscripcion.recibir(cuantas - len(tomadas))
    return tomadas


async def nada(suscripcion: Suscripcion, durante_s: float = 0.3) -> bool:
    """Si en ese tiempo no llega nada."""
    try:
        async with asyncio.timeout(durante_s):
            return not await suscripcion.recibir(10)
    except TimeoutError:
        return True


async def letras(broker: Broker, suscripcion: str, cuantas: int) -> list[LetraMuerta]:
    encontradas = await broker.letras_muertas.listar(suscripcion)
    assert len(encontradas) == cuantas
    return encontradas

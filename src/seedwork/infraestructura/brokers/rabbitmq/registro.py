"""Lo que sobrevive a quien reparte: un solo mensaje en `<suscripcion>.intentos`, que cada escritura sustituye.

Sólo escribe quien reparte. Dice los intentos empezados, y si el último que repartió se fue en orden.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field, replace

from aiormq import Channel
from pamqp.commands import Basic

from seedwork.infraestructura.brokers.rabbitmq.publicador import publicar


@dataclass
class Acta:
    """`intentos` por huella. Si el reinado se cerró en orden, `en_mano` son las huellas que alguien tenía.

    `prefetch` es el mayor que se ha usado. Lo no acusado vuelve a la cola detrás de lo que ya había vuelto: sólo queda
    en orden si el siguiente lo toma todo, así que no puede tomar menos. `relleno`: queda algo por leer en esa cola.
    """

    reinado: str = ""
    abierto: bool = False
    en_mano: list[str] = field(default_factory=list)
    intentos: dict[str, int] = field(default_factory=dict)
    patrones: list[str] = field(default_factory=list)
    prefetch: int = 64
    relleno: bool = False


class Registro:
    """El acta de una suscripción."""

    def __init__(self, canal: Channel, cola: str) -> None:
        self._canal = canal
        self._cola = cola
        self._candado = asyncio.Lock()
        self._version = 0
        self._escrita = 0
        self.acta = Acta()

    async def empezar(self, reinado: str) -> Acta:
        """Lee la anterior y deja escrita la de este reinado, que hereda sus intentos; devuelve la anterior."""
        anterior, leidas, quedan = Acta(), [], 1
        while quedan and isinstance((crudo := await self._canal.basic_get(self._cola)).delivery, Basic.GetOk):
            anterior = Acta(**json.loads(crudo.body))
            leidas.append(crudo.delivery_tag or 0)
            quedan = crudo.message_count or 0
        self.acta = replace(anterior, reinado=reinado, abierto=True, en_mano=[])
        await self.escribir()
        for etiqueta in leidas:  # sólo hay más de una si el anterior murió justo aquí
            await self._canal.basic_ack(etiqueta, wait=False)
        return anterior

    async def escribir(self) -> None:
        """Vuelve cuando lo que el acta decía al llamar está a salvo. Varias a la vez comparten una escritura."""
        self._version += 1
        mia = self._version
        async with self._candado:
            if self._escrita >= mia:
                return
            version = self._version
            cuerpo = json.dumps(asdict(self.acta)).encode()
            await publicar(self._canal, [("", self._cola, cuerpo, Basic.Properties(delivery_mode=2))])
            self._escrita = version

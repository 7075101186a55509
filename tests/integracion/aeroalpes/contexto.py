"""Un contexto en marcha dentro de la prueba: sus módulos sobre una base y un broker embebido, y lo que publica."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.brokers import LetraMuerta, Mensaje
from seedwork.infraestructura.codificacion import codificar, decodificar
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.schema.v1.mensajes import MensajeIntegracion, sobre
from seedwork.infraestructura.sistema import Sistema, bootstrap

PLAZO_S = 30.0
T = TypeVar("T")


class Contexto:
    """Lo que la prueba hace con él: mandarle mensajes y mirar los que publica."""

    def __init__(self, mensajeria: Mensajeria, sistema: Sistema, registros: Mapping[str, type]) -> None:
        self.sistema = sistema
        self.publicados: list[Any] = []
        self._mensajeria = mensajeria
        self._registros = registros

    async def mandar(self, *mensajes: Mensaje) -> None:
        await self._mensajeria.broker.publicar(list(mensajes))

    async def leer(self) -> None:
        lector = await self._mensajeria.leer(list(self._registros), desde_hace_s=3600)
        while True:
            for mensaje in await lector.recibir(100):
                self.publicados.append(decodificar(mensaje, self._registros[mensaje.topico]))

    def tipos(self, id_reserva: UUID | None = None) -> list[str]:
        """Los tipos de lo publicado, en orden; de una sola reserva si se dice cuál."""
        return [m.type for m in self.publicados if id_reserva is None or str(id_reserva) in str(m)]

    async def hasta(self, condicion: Callable[[], T], que: str) -> T:
        try:
            async with asyncio.timeout(PLAZO_S):
                while not (valor := condicion()):
                    await asyncio.sleep(0.02)
                return valor
        except TimeoutError:
            raise AssertionError(f"pasaron {PLAZO_S} s sin que {que}; se publicó {self.tipos()}") from None

    async def hasta_letras(self, suscripcion: str, cuantas: int) -> None:
        """Espera a que la suscripción tenga esas letras muertas, y ni una más."""
        letras: list[LetraMuerta] = []
        try:
            async with asyncio.timeout(PLAZO_S):
                while len(letras) < cuantas:
                    letras = await self._mensajeria.broker.letras_muertas.listar(suscripcion)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"pasaron {PLAZO_S} s y sólo hay {len(letras)} letras muertas") from None
        assert len(letras) == cuantas, letras


def mensaje(registro: type[MensajeIntegracion], topico: str, tipo: str, clave: UUID, **variante: Any) -> Mensaje:
    """Un mensaje como lo mandaría otro servicio."""
    return codificar(
        registro(**sobre(tipo, "pruebas"), **variante), topico=topico, servicio="pruebas", clave=str(clave)
    )


def otra_vez(mensaje: Mensaje, id: str) -> Mensaje:
    """El mismo pedido en otro mensaje: el inbox no lo reconoce."""
    return replace(mensaje, cabeceras={**mensaje.cabeceras, "id": id})


@asynccontextmanager
async def en_marcha(
    modulos: Sequence[Modulo],
    carpeta: Path,
    registros: Mapping[str, type],
    *,
    base_datos: str | None = None,
    puertos: Mapping[Any, Any] | None = None,
) -> AsyncIterator[Contexto]:
    """`registros` lleva de cada tópico que se quiere mirar al registro que va por él."""
    sistema = bootstrap(
        modulos,
        base_datos=base_datos or f"sqlite:///{carpeta}/contexto.db",
        broker=f"embebido:///{carpeta}/broker.db",
        servicio="aeroalpes",
        puertos=puertos,
    )
    try:
        async with Mensajeria(bus=sistema) as mensajeria:
            contexto = Contexto(mensajeria, sistema, registros)
            lectura = asyncio.create_task(contexto.leer())
            try:
                yield contexto
            finally:
                lectura.cancel()
                await asyncio.gather(lectura, return_exceptions=True)
    finally:
        await asyncio.to_thread(sistema.cerrar)

"""De un mensaje recibido a su efecto, una sola vez."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.compilacion import compilar
from seedwork.aplicacion.firmas import nombre_de
from seedwork.aplicacion.mensajes import Entrada, Inbox, YaProcesada
from seedwork.aplicacion.transaccion import Transaccion
from seedwork.infraestructura.brokers import Mensaje, compilar_patrones
from seedwork.infraestructura.codificacion import codificar_evento, decodificar, nombre_de_evento
from seedwork.infraestructura.declaracion import Consumidor, Ruta
from seedwork.infraestructura.outbox import DespachadorOutbox
from seedwork.infraestructura.sistema import Sistema

Publicar = Callable[[Sequence[Mensaje]], Awaitable[None]]


@dataclass(frozen=True)
class _RutaCompilada:
    atiende: Callable[[str], bool]
    tipo: Any
    es_async: bool
    transaccional: bool
    llamar: Callable[[Any, Any], Any]


class Procesador:
    """Un `Consumidor` con todo resuelto.

    Con base de datos hay un efecto por (suscripción, id de mensaje). Si el handler usa la unidad de trabajo, corre
    dentro de la transacción que anota la entrada; si no (manda un correo, llama a otro sistema, o sólo traduce), corre
    antes y la transacción registra lo que devolvió: un corte entre ambas cosas repite el handler, y por eso su efecto
    externo debe poder repetirse. Lo que devuelve: un `Comando` (o varios), que se ejecuta; o eventos
    `{"name", "payload"}`, que salen con el acuse de la entrada.
    """

    def __init__(self, consumidor: Consumidor, sistema: Sistema, publicar: Publicar) -> None:
        assert consumidor.suscripcion is not None  # noqa: S101 - la decide quien lo incluye
        self._suscripcion = consumidor.suscripcion
        self._sistema = sistema
        self._publicar = publicar
        self._rutas = [self._compilar(ruta, consumidor) for ruta in consumidor.rutas]

    async def procesar(self, mensaje: Mensaje) -> None:
        """Ejecuta cada ruta que atienda el mensaje; los errores del handler salen tal cual."""
        nombre = nombre_de_evento(mensaje)
        for i, ruta in enumerate(self._rutas):
            if ruta.atiende(nombre):
                contenido = decodificar(mensaje, ruta.tipo)
                await self._ejecutar(ruta, contenido, self._entrada(mensaje, i))

    async def _ejecutar(self, ruta: _RutaCompilada, contenido: Any, entrada: Entrada | None) -> None:
        if self._sistema.motor is None or entrada is None:
            resultado = await self._llamar(ruta, contenido)
            await self._publicar([self._evento(evento, entrada, n) for n, evento in enumerate(_lista(resultado))])
        elif not ruta.es_async:
            await self._sistema.en_hilo(self._con_inbox, ruta, contenido, entrada)
        elif ruta.transaccional:
            await self._con_inbox_async(ruta, contenido, entrada)
        elif not await self._sistema.en_hilo(self._vista, entrada):
            resultado = await ruta.llamar(contenido, None)
            await self._sistema.en_hilo(self._registrar, resultado, entrada)

    async def _llamar(self, ruta: _RutaCompilada, contenido: Any) -> Any:
        if ruta.es_async:
            return await ruta.llamar(contenido, None)
        return await self._sistema.en_hilo(ruta.llamar, contenido, None)

    def _con_inbox(self, ruta: _RutaCompilada, contenido: Any, entrada: Entrada) -> None:
        if not ruta.transaccional:
            if not self._vista(entrada):
                self._registrar(ruta.llamar(contenido, None), entrada)
            return

        def efecto(transaccion: Transaccion) -> None:
            transaccion.ambito.get(Inbox).anotar(entrada)
            self._aplicar(ruta.llamar(contenido, transaccion.ambito), entrada, transaccion)

        self._una_vez(efecto)

    async def _con_inbox_async(self, ruta: _RutaCompilada, contenido: Any, entrada: Entrada) -> None:
        transaccion = self._sistema.transaccion()
        await self._sistema.en_hilo(transaccion.__enter__)
        try:
            await self._sistema.en_hilo(transaccion.ambito.get(Inbox).anotar, entrada)
            resultado = await ruta.llamar(contenido, transaccion.ambito)
            await self._sistema.al_cerrar(self._aplicar, resultado, entrada, transaccion)
            await self._sistema.al_cerrar(transaccion.confirmar)
        except YaProcesada:
            pass
        finally:
            await asyncio.shield(self._sistema.al_cerrar(transaccion.__exit__, None, None, None))

    def _registrar(self, resultado: Any, entrada: Entrada) -> None:
        def efecto(transaccion: Transaccion) -> None:
            transaccion.ambito.get(Inbox).anotar(entrada)
            self._aplicar(resultado, entrada, transaccion)

        self._una_vez(efecto)

    def _una_vez(self, efecto: Callable[[Transaccion], None]) -> None:
        try:
            self._sistema.en_transaccion(efecto)
        except YaProcesada:
            return

    def _vista(self, entrada: Entrada) -> bool:
        return self._sistema.leer(lambda ambito: bool(ambito.get(Inbox).vista(entrada)))

    def _aplicar(self, resultado: Any, entrada: Entrada, transaccion: Transaccion) -> None:
        for n, parte in enumerate(_lista(resultado)):
            if isinstance(parte, Comando):
                self._sistema.ejecutar_en(transaccion, parte)
            else:
                transaccion.ambito.get(DespachadorOutbox).anadir(self._evento(parte, entrada, n))

    def _evento(self, evento: Any, entrada: Entrada | None, n: int) -> Mensaje:
        if not isinstance(evento, Mapping) or not evento.keys() >= {"name", "payload"}:
            raise TypeError(
                f"Un consumidor de {self._suscripcion} devolvió {type(evento).__name__}: devuelva None, un Comando"
                ' o una lista de eventos {"name": ..., "payload": ...}'
            )
        # Si la entrada se repite, el evento que sale de ella lleva el mismo id y quien lo reciba lo reconoce.
        id = None if entrada is None else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._suscripcion}/{entrada.id}/{n}"))
        return codificar_evento(
            evento["name"],
            evento["payload"],
            servicio=self._sistema.servicio,
            topico=evento.get("topic"),
            clave=evento.get("key"),
            id=id,
        )

    def _entrada(self, mensaje: Mensaje, ruta: int) -> Entrada | None:
        id = mensaje.cabeceras.get("id")
        if id is None:
            return None  # ajeno y sin identidad: no hay con qué reconocer una repetición
        return Entrada(suscripcion=self._suscripcion, id=id if len(self._rutas) == 1 else f"{id}#{ruta}")

    def _compilar(self, ruta: Ruta, consumidor: Consumidor) -> _RutaCompilada:
        atiende = compilar_patrones(ruta.nombres) if ruta.nombres else lambda _: True
        if consumidor.clase is None:
            compilada = compilar(ruta.funcion, self._sistema.dependencias)
            return _RutaCompilada(
                atiende, compilada.mensaje, compilada.es_async, compilada.transaccional, compilada.llamar
            )
        clase, metodo, puertos = consumidor.clase, ruta.funcion, ruta.firma.puertos
        dependencias = self._sistema.dependencias
        quien = nombre_de(metodo)
        por_mensaje = [dependencias.exigir(clase, nombre_de(clase)), *[dependencias.exigir(p, quien) for p in puertos]]

        def llamar(contenido: Any, ambito: Any) -> Any:
            get = dependencias.del_proceso if ambito is None else ambito.get
            return metodo(get(clase), contenido, *[get(puerto) for puerto in puertos])

        return _RutaCompilada(atiende, ruta.firma.mensaje, ruta.firma.es_async, any(por_mensaje), llamar)


def _lista(resultado: Any) -> Sequence[Any]:
    if resultado is None:
        return ()
    return resultado if isinstance(resultado, list | tuple) else (resultado,)

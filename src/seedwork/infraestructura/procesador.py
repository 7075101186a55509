"""De un mensaje recibido a su efecto, una sola vez."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.firmas import ErrorDeArranque, nombre_de
from seedwork.aplicacion.hilos import correr_en, entero
from seedwork.aplicacion.mensajes import Entrada, Inbox, YaProcesada
from seedwork.aplicacion.transaccion import Transaccion
from seedwork.infraestructura.brokers import Mensaje, RegistroEsquemas, compilar_patrones
from seedwork.infraestructura.codificacion import (
    codificar_evento,
    exigir_legible,
    identidad,
    nombre_de_evento,
)
from seedwork.infraestructura.declaracion import Consumidor, Ruta, es_sesion_async
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.lectura import leer
from seedwork.infraestructura.outbox import INQUILINO, DespachadorOutbox
from seedwork.infraestructura.politica import ErrorPermanente
from seedwork.infraestructura.sesion_async import AmbitoAsincrono, BaseAsincrona
from seedwork.infraestructura.sistema import Sistema

T = TypeVar("T")

Publicar = Callable[[Sequence[Mensaje]], Awaitable[None]]


@dataclass(frozen=True)
class _RutaCompilada:
    nombre: str
    atiende: Callable[[str], bool]
    tipo: Any
    es_async: bool
    transaccional: bool
    con_sesion_async: bool
    llamar: Callable[[Any, Any], Any]


class Procesador:
    """Un `Consumidor` con todo resuelto.

    Con base de datos hay un efecto por (suscripción, id de mensaje). Si el handler usa la unidad de trabajo, corre
    dentro de la transacción que anota la entrada; si no (manda un correo, llama a otro sistema, o sólo traduce), corre
    antes y la transacción registra lo que devolvió: un corte entre ambas cosas repite el handler, y por eso su efecto
    externo debe poder repetirse. Lo que devuelve: un `Comando` (o varios), que se ejecuta; o eventos
    `{"name", "payload"}`, que salen con el acuse de la entrada. Los handlers `def` corren en hilos de este consumidor:
    por lentos que sean no quitan el sitio a otros, ni a los `async def`. Un esquema que aquí no se conoce se le pide a
    `esquemas`, el registro del broker si lo tiene.
    """

    def __init__(
        self,
        consumidor: Consumidor,
        sistema: Sistema,
        publicar: Publicar,
        asincrona: BaseAsincrona | None = None,
        esquemas: RegistroEsquemas | None = None,
    ) -> None:
        assert consumidor.suscripcion is not None  # noqa: S101 - la decide quien lo incluye
        self._suscripcion = consumidor.suscripcion
        self._sistema = sistema
        self._publicar = publicar
        self._asincrona = asincrona
        self._esquemas = esquemas
        self._transaccion_async = None if asincrona is None else sistema.en_otro_motor(asincrona.motor_de)
        self._rutas = [self._compilar(ruta, consumidor) for ruta in consumidor.rutas]
        self._una_por_mensaje = consumidor.clase is None
        self._hilos = ThreadPoolExecutor(consumidor.concurrencia, thread_name_prefix=self._suscripcion)

    async def procesar(self, mensaje: Mensaje) -> None:
        """Ejecuta cada ruta que atienda el mensaje; los errores del handler salen tal cual."""
        nombre = nombre_de_evento(mensaje)
        with en_nombre_de(schema=mensaje.cabeceras.get(INQUILINO)):
            for ruta in self._rutas:
                if ruta.atiende(nombre):
                    contenido = await leer(mensaje, ruta.tipo, self._esquemas)
                    await self._ejecutar(ruta, contenido, self._entrada(mensaje, contenido, ruta))

    def cerrar(self) -> None:
        """Suelta sus hilos, sin esperar al handler que siga en alguno."""
        self._hilos.shutdown(wait=False)

    async def _ejecutar(self, ruta: _RutaCompilada, contenido: Any, entrada: Entrada | None) -> None:
        if self._sistema.motor is None:
            await self._sin_base(ruta, contenido, entrada)
        elif ruta.con_sesion_async:
            await self._con_sesion_async(ruta, contenido, entrada)
        elif not ruta.es_async:
            await self._en_hilo(self._con_inbox, ruta, contenido, entrada)
        elif ruta.transaccional:
            await self._con_inbox_async(ruta, contenido, entrada)
        elif not await self._sistema.en_hilo(self._vista, entrada):
            resultado = await ruta.llamar(contenido, None)
            await self._sistema.en_hilo(self._registrar, resultado, entrada)

    async def _sin_base(self, ruta: _RutaCompilada, contenido: Any, entrada: Entrada | None) -> None:
        if ruta.es_async:
            resultado = await ruta.llamar(contenido, None)
        else:
            resultado = await self._en_hilo(ruta.llamar, contenido, None)
        eventos = []
        for n, parte in enumerate(_lista(resultado)):
            if isinstance(parte, Comando):
                await self._sistema.ejecutar_async(parte)
            else:
                eventos.append(self._evento(parte, entrada, n))
        await self._publicar(eventos)

    async def _en_hilo(self, funcion: Callable[..., T], *argumentos: Any) -> T:
        return await correr_en(self._hilos, funcion, *argumentos)

    def _con_inbox(self, ruta: _RutaCompilada, contenido: Any, entrada: Entrada | None) -> None:
        if not ruta.transaccional:
            if not self._vista(entrada):
                self._registrar(ruta.llamar(contenido, None), entrada)
            return
        self._una_vez(entrada, lambda transaccion: ruta.llamar(contenido, transaccion.ambito))

    async def _con_inbox_async(self, ruta: _RutaCompilada, contenido: Any, entrada: Entrada | None) -> None:
        transaccion = self._sistema.transaccion()
        try:
            await entero(self._sistema.en_hilo(self._abrir, transaccion, entrada))
            resultado = await ruta.llamar(contenido, transaccion.ambito)
            await entero(self._sistema.al_cerrar(self._aplicar, resultado, entrada, transaccion))
            await entero(self._sistema.al_cerrar(transaccion.confirmar))
        except YaProcesada:
            pass
        finally:
            await entero(self._sistema.al_cerrar(transaccion.__exit__, None, None, None))
        await self._sistema.en_hilo(self._sistema.reaccionar, transaccion)

    async def _con_sesion_async(self, ruta: _RutaCompilada, contenido: Any, entrada: Entrada | None) -> None:
        assert self._asincrona is not None and self._transaccion_async is not None  # noqa: S101, PT018 - se comprobó al compilar
        correr, transaccion = self._asincrona.correr, self._transaccion_async()
        try:
            await correr(self._abrir, transaccion, entrada)
            resultado = await ruta.llamar(contenido, AmbitoAsincrono(transaccion))
            await correr(self._aplicar, resultado, entrada, transaccion)
            await correr(transaccion.confirmar)
        except YaProcesada:
            pass
        finally:
            await correr(transaccion.__exit__, None, None, None)
        await self._sistema.en_hilo(self._sistema.reaccionar, transaccion)

    def _abrir(self, transaccion: Transaccion, entrada: Entrada | None) -> None:
        transaccion.__enter__()
        _anotar(transaccion, entrada)

    def _registrar(self, resultado: Any, entrada: Entrada | None) -> None:
        self._una_vez(entrada, lambda _: resultado)

    def _una_vez(self, entrada: Entrada | None, llamar: Callable[[Transaccion], Any]) -> None:
        def efecto(transaccion: Transaccion) -> None:
            _anotar(transaccion, entrada)
            self._aplicar(llamar(transaccion), entrada, transaccion)

        try:
            self._sistema.en_transaccion(efecto)
        except YaProcesada:
            return

    def _vista(self, entrada: Entrada | None) -> bool:
        return entrada is not None and self._sistema.leer(lambda ambito: bool(ambito.get(Inbox).vista(entrada)))

    def _aplicar(self, resultado: Any, entrada: Entrada | None, transaccion: Transaccion) -> None:
        for n, parte in enumerate(_lista(resultado)):
            if isinstance(parte, Comando):
                self._sistema.ejecutar_en(transaccion, parte)
            else:
                transaccion.ambito.get(DespachadorOutbox).anadir(self._evento(parte, entrada, n))

    def _evento(self, evento: Any, entrada: Entrada | None, n: int) -> Mensaje:
        if not isinstance(evento, Mapping) or not evento.keys() >= {"name", "payload"}:
            raise ErrorPermanente(
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

    def _entrada(self, mensaje: Mensaje, contenido: Any, ruta: _RutaCompilada) -> Entrada | None:
        id = identidad(mensaje, contenido)
        if id is None:
            return None  # ajeno y sin identidad: no hay con qué reconocer una repetición
        return Entrada(suscripcion=self._suscripcion, id=id if self._una_por_mensaje else f"{id}#{ruta.nombre}")

    def _compilar(self, ruta: Ruta, consumidor: Consumidor) -> _RutaCompilada:
        funcion, puertos, quien = ruta.funcion, ruta.firma.puertos, nombre_de(ruta.funcion)
        objeto = () if consumidor.clase is None else (consumidor.clase,)
        dependencias = self._sistema.dependencias
        por_mensaje = [clase for clase in objeto if dependencias.exigir(clase, nombre_de(clase))]
        con_sesion_async = any(es_sesion_async(puerto) for puerto in puertos)
        por_mensaje += [p for p in puertos if not es_sesion_async(p) and dependencias.exigir(p, quien)]
        if con_sesion_async and por_mensaje:
            raise ErrorDeArranque(
                f"{quien} pide AsyncSession y {nombre_de(por_mensaje[0])}, que es de otra sesión: pida sólo una"
            )
        exigir_legible(ruta.firma.mensaje)

        def llamar(contenido: Any, ambito: Any) -> Any:
            get = dependencias.del_proceso if ambito is None else ambito.get
            return funcion(*[get(clase) for clase in objeto], contenido, *[get(puerto) for puerto in puertos])

        return _RutaCompilada(
            nombre=funcion.__name__,
            atiende=compilar_patrones(ruta.nombres) if ruta.nombres else lambda _: True,
            tipo=ruta.firma.mensaje,
            es_async=ruta.firma.es_async,
            transaccional=bool(por_mensaje),
            con_sesion_async=con_sesion_async,
            llamar=llamar,
        )


def _anotar(transaccion: Transaccion, entrada: Entrada | None) -> None:
    if entrada is not None:
        transaccion.ambito.get(Inbox).anotar(entrada)


def _lista(resultado: Any) -> Sequence[Any]:
    if resultado is None:
        return ()
    return resultado if isinstance(resultado, list | tuple) else (resultado,)

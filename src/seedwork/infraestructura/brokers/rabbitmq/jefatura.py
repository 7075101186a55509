"""Repartir una suscripción entre sus consumidores.

Una cola de RabbitMQ da cada mensaje a cualquiera: con varios consumidores no guarda el orden de una clave. Por eso la
lee uno solo, el jefe, que toma para sí y manda a los demás lo que piden; ellos le responden y él acusa. Si muere, todo
vuelve a la cola en su orden, otro lo lee, pregunta a cada uno qué tiene, y sigue.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any

import structlog
from aiormq import Channel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from seedwork.infraestructura.brokers.rabbitmq import formato
from seedwork.infraestructura.brokers.rabbitmq.conexion import Conexion
from seedwork.infraestructura.brokers.rabbitmq.deposito import Deposito
from seedwork.infraestructura.brokers.rabbitmq.mensajes import (
    ADIOS,
    CONTAR,
    DEVOLVER,
    HECHO,
    LATIDO,
    PEDIR,
    PRESENTATE,
    PRESENTE,
    TERMINAR,
    VACANTE,
    VIVES,
    VIVO,
    Informe,
    Peticion,
    a_informe,
    difundir,
    leer,
    mandar,
)
from seedwork.infraestructura.brokers.rabbitmq.registro import Acta, Registro
from seedwork.infraestructura.brokers.rabbitmq.topologia import Exchange, Nombres, desatar
from seedwork.infraestructura.brokers.rabbitmq.ventana import Ficha

_log = structlog.get_logger(__name__)

_REPARTO_S = 0.002  # se reparte a los demás por ráfagas, no mensaje a mensaje
_REUNION_S = 0.05
_REVISION_S = 1.0


class Jefatura:
    """Un reinado: dura lo que la conexión con que se ganó."""

    def __init__(
        self,
        conexion: Conexion,
        exchange: Exchange,
        nombres: Nombres,
        yo: str,
        avisar: Callable[[], None],
        al_romperse: Callable[[], None],
    ) -> None:
        self.id = uuid.uuid4().hex
        self._conexion = conexion
        self._exchange = exchange
        self._nombres = nombres
        self._yo = yo
        self._avisar_aqui = avisar
        self._al_romperse = al_romperse
        self._deposito: Deposito | None = None
        self._presentes: dict[str, Informe] = {}
        self._vivos: set[str] = set()
        self._ronda = 0
        self._alguien = asyncio.Event()
        self._reunida = asyncio.Event()
        self._peticiones: dict[str, Peticion] = {}
        self._mandados: dict[str, tuple[int, list[Ficha]]] = {}  # el turno y el lote que quizá no llegue a tomar
        self._tareas: set[asyncio.Task[Any]] = set()
        self._reparto: asyncio.TimerHandle | None = None

    # --- empezar y terminar ------------------------------------------------------------------------------------

    async def empezar(self, control: Channel, informe: Informe) -> None:
        """Atiende a los demás, pregunta qué tiene cada uno, y abre la cola."""
        self._control = control
        self._control.closing.add_done_callback(lambda _: self._al_romperse())
        self._registro = Registro(self._control, self._nombres.registro)
        self._presentar(informe)
        consumidor = await self._control.basic_consume(self._nombres.jefe, self._atender, no_ack=True)
        self._atiendo = consumidor.consumer_tag or ""
        anterior, canal, _ = await asyncio.gather(
            self._registro.empezar(self.id), self._conexion.canal(confirmar=False), self._reunir()
        )
        await self._poner_patrones(informe)
        self._deposito = Deposito(self._conexion, self._nombres, self._registro, self._lanzar, self._avisar)
        await self._deposito.abrir(
            canal,
            {presente.miembro: presente.tengo for presente in self._presentes.values()},
            self._sospechosas(anterior),
        )
        self._reunida.set()
        self._avisar()
        self._lanzar(self._vigilar())

    async def _reunir(self) -> None:
        """Vuelve cuando se han presentado todos los que viven."""
        await difundir(self._control, self._nombres.miembros, PRESENTATE, {"jefe": self._yo})
        while True:
            self._alguien.clear()
            cuantos = await self._cuantos()
            if len(self._presentes) >= cuantos and await self._contestan():
                return
            await self._esperar_a_alguien()

    async def _contestan(self) -> bool:
        """Si tras contarlos contestan todos los presentes: entonces eran ellos los contados, y no falta otro.

        Que exista la cola de uno no basta: al morir, RabbitMQ deja de contarlo antes de borrarla.
        """
        otros = [miembro for miembro in self._presentes if miembro != self._yo]
        self._ronda += 1
        self._vivos.clear()
        await self._enterrar_muertos(VIVES, self._ronda)
        while not self._vivos.issuperset(otros):
            if not self._presentes.keys() >= set(otros):
                return False
            self._alguien.clear()
            await self._esperar_a_alguien()
            await self._enterrar_muertos()
        return True

    async def _esperar_a_alguien(self) -> None:
        try:
            async with asyncio.timeout(_REUNION_S):
                await self._alguien.wait()
        except TimeoutError:
            pass  # puede que haya muerto quien faltaba: RabbitMQ lo dirá al preguntar

    async def _cuantos(self) -> int:
        return (await self._control.queue_declare(self._nombres.miembros, passive=True)).consumer_count or 0

    def _sospechosas(self, anterior: Acta) -> Collection[str] | None:
        """De lo que el reinado anterior deja sin acusar, lo que estaba en manos de alguien; None: puede ser todo."""
        for presente in self._presentes.values():
            if presente.fui and presente.fui == anterior.reinado:
                return presente.ajenas  # perdió la conexión, pero vive
        return None if anterior.abierto else anterior.en_mano

    async def abdicar(self) -> None:
        """Se va en orden: deja dicho qué estaba en manos de alguien, y el puesto libre."""
        acta = self._registro.acta
        acta.abierto = False
        if self._deposito is not None:
            acta.en_mano = await self._deposito.cerrar()
        await self._registro.escribir()
        await self._control.basic_cancel(self._atiendo, nowait=True)
        await self._control.queue_delete(self._nombres.jefe)
        await difundir(self._control, self._nombres.miembros, VACANTE)

    def caer(self) -> list[str]:
        """Ya no reparte: lo no acusado vuelve a la cola. Devuelve las huellas que tenían los demás."""
        if self._reparto is not None:
            self._reparto.cancel()
        for tarea in self._tareas:
            tarea.cancel()
        return [] if self._deposito is None else self._deposito.en_manos(menos=self._yo)

    # --- para este mismo consumidor ----------------------------------------------------------------------------

    async def tomar(self, maximo: int, excepto: Collection[str]) -> list[Ficha]:
        if self._deposito is None:
            return []
        await self._deposito.asentar(self._yo, maximo, excepto)
        return self._deposito.tomar(self._yo, maximo, excepto)

    async def terminar(self, fichas: Sequence[Ficha]) -> bool:
        return await self._abierto.terminar(self._yo, fichas)

    async def devolver(self, fichas: Iterable[tuple[Ficha, int]]) -> None:
        await self._abierto.devolver(self._yo, fichas)

    async def contar(self, ficha: Ficha, intentos: int) -> None:
        await self._abierto.contar(self._yo, ficha, intentos)

    @property
    def _abierto(self) -> Deposito:
        assert self._deposito is not None  # noqa: S101 - sólo se responde a lo que se repartió
        return self._deposito

    # --- repartir a los demás ----------------------------------------------------------------------------------

    def _avisar(self) -> None:
        self._avisar_aqui()
        if self._peticiones and self._reparto is None:
            self._reparto = asyncio.get_running_loop().call_later(_REPARTO_S, self._repartir)

    def _repartir(self) -> None:
        self._reparto = None
        if self._deposito is None:
            return
        for miembro, peticion in list(self._peticiones.items()):
            fichas = self._deposito.tomar(miembro, peticion.maximo, peticion.excepto)
            if fichas:
                del self._peticiones[miembro]
                self._mandados[miembro] = (peticion.turno, fichas)
                self._lanzar(self._mandar(self._deposito, peticion, fichas))

    async def _mandar(self, deposito: Deposito, peticion: Peticion, fichas: Sequence[Ficha]) -> None:
        cola = self._nombres.miembro(peticion.miembro)
        resultados = await asyncio.gather(
            *(
                self._control.basic_publish(
                    ficha.crudo.body,
                    routing_key=cola,
                    properties=_para_otro(peticion, ficha, ultima=ficha is fichas[-1]),
                    mandatory=True,
                    wait=False,
                )
                for ficha in fichas
            ),
            return_exceptions=True,
        )
        if any(isinstance(resultado, BaseException) for resultado in resultados):
            deposito.recuperar(peticion.miembro, fichas)
            self._enterrar(peticion.miembro)

    # --- los demás ---------------------------------------------------------------------------------------------

    async def _atender(self, crudo: DeliveredMessage) -> None:
        tipo, datos = leer(crudo)
        if tipo == PRESENTE:
            self._presentar(a_informe(datos))
        elif tipo == VIVO:
            if datos["ronda"] == self._ronda:
                self._vivos.add(datos["miembro"])
                self._alguien.set()
        elif tipo != LATIDO:
            await self._reunida.wait()  # hasta saber qué tiene cada uno no se sabe de qué habla
            await self._atender_a(datos["miembro"], tipo, datos)

    async def _atender_a(self, miembro: str, tipo: str, datos: dict[str, Any]) -> None:
        if tipo == PEDIR:
            self._pedir(Peticion(**{**datos, "excepto": frozenset(datos["excepto"])}))
            return
        if tipo == ADIOS:
            self._enterrar(miembro)
            return
        if tipo == TERMINAR:
            if not await self._abierto.terminar(miembro, datos["huellas"]):
                return  # se lo dirá a quien reparta después
        elif tipo == DEVOLVER:
            await self._abierto.devolver(miembro, [(huella, intentos) for huella, intentos in datos["fichas"]])
        elif tipo == CONTAR:
            await self._abierto.contar(miembro, datos["huella"], datos["intentos"])
        await mandar(self._control, self._nombres.miembro(miembro), HECHO, {"recibo": datos["recibo"]})

    def _presentar(self, informe: Informe) -> None:
        llega_tarde = self._reunida.is_set() and informe.miembro not in self._presentes
        self._presentes[informe.miembro] = informe
        self._alguien.set()
        if llega_tarde:
            self._lanzar(self._poner_patrones(informe))

    async def _poner_patrones(self, informe: Informe) -> None:
        """La última en suscribirse dice los patrones; se quitan los que ya no quiere nadie."""
        acta = self._registro.acta
        vivos = {patron for presente in self._presentes.values() for patron in presente.patrones}
        sobran = set(acta.patrones) - vivos if informe.nueva else set()
        patrones = sorted(vivos | (set(acta.patrones) - sobran))
        if patrones != acta.patrones:
            await desatar(self._control, self._nombres.cola, self._exchange.nombre, sobran)
            acta.patrones = patrones
            await self._registro.escribir()

    def _pedir(self, peticion: Peticion) -> None:
        self._peticiones.pop(peticion.miembro, None)
        turno, fichas = self._mandados.pop(peticion.miembro, (0, []))
        if turno > peticion.recibido:
            self._abierto.recuperar(peticion.miembro, fichas)
        if peticion.maximo:
            self._peticiones[peticion.miembro] = peticion
            self._avisar()

    def _enterrar(self, miembro: str) -> None:
        self._peticiones.pop(miembro, None)
        self._mandados.pop(miembro, None)
        self._presentes.pop(miembro, None)
        if self._deposito is not None:
            self._deposito.soltar(miembro)

    async def _vigilar(self) -> None:
        """Si un miembro desaparece, lo suyo pasa a otro."""
        while True:
            await asyncio.sleep(_REVISION_S)
            await self._enterrar_muertos()

    async def _enterrar_muertos(self, tipo: str = LATIDO, datos: Any = None) -> None:
        """Manda a cada uno eso: a quien ya no tiene cola, no le llega."""
        otros = [miembro for miembro in self._presentes if miembro != self._yo]
        vivos = await asyncio.gather(*(mandar(self._control, self._nombres.miembro(m), tipo, datos) for m in otros))
        for miembro, vive in zip(otros, vivos, strict=True):
            if not vive:
                _log.warning("broker.consumidor_muerto", suscripcion=self._nombres.cola, miembro=miembro)
                self._enterrar(miembro)

    def _lanzar(self, corrutina: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tarea = asyncio.create_task(corrutina)
        self._tareas.add(tarea)
        tarea.add_done_callback(self._al_terminar)
        return tarea

    def _al_terminar(self, tarea: asyncio.Task[None]) -> None:
        self._tareas.discard(tarea)
        if not tarea.cancelled() and (error := tarea.exception()) is not None:
            _log.warning("broker.reparto_interrumpido", suscripcion=self._nombres.cola, error=repr(error))
            self._al_romperse()


def _para_otro(peticion: Peticion, ficha: Ficha, *, ultima: bool) -> Basic.Properties:
    reparto = {
        "turno": peticion.turno,
        "huella": ficha.huella,
        "intentos": ficha.intentos,
        "sospechosa": ficha.sospechosa,
        "ultima": ultima,
    }
    propiedades = formato.copia(ficha.crudo, ficha.mensaje.topico, **{formato.REPARTO: json.dumps(reparto)})
    propiedades.delivery_mode = 1
    return propiedades

"""El sitio de un consumidor en su suscripción mientras dura una conexión: repartir, o pedir a quien reparte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any

from aiormq import Channel
from aiormq.abc import DeliveredMessage

from seedwork.infraestructura.brokers import BrokerNoDisponible
from seedwork.infraestructura.brokers.rabbitmq import formato
from seedwork.infraestructura.brokers.rabbitmq.conexion import Conexion
from seedwork.infraestructura.brokers.rabbitmq.jefatura import Jefatura
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
    a_datos,
    leer,
    mandar,
)
from seedwork.infraestructura.brokers.rabbitmq.topologia import Exchange, Nombres, atar
from seedwork.infraestructura.brokers.rabbitmq.ventana import Ficha

_REVISION_S = 1.0
_PLAZO_DESPEDIDA_S = 3.0


class SinJefe(Exception):
    """Quien repartía ya no está: hay que esperar a otro."""


class Puesto:
    """`informe` da lo que este consumidor tiene en sus manos; `avisar` se llama cuando puede haber algo nuevo."""

    def __init__(
        self,
        conexion: Conexion,
        exchange: Exchange,
        nombres: Nombres,
        yo: str,
        informe: Callable[[], Informe],
        avisar: Callable[[], None],
    ) -> None:
        self._conexion = conexion
        self._exchange = exchange
        self._nombres = nombres
        self._yo = yo
        self._informe = informe
        self._avisar = avisar
        self._jefatura: Jefatura | None = None
        self._coronado = asyncio.Event()
        self._postulando = asyncio.Lock()
        self._hay_jefe = False
        self._parciales: list[Ficha] = []  # de un lote que aún no ha llegado entero
        self._llegadas: list[Ficha] = []
        self._turno = self._recibido = 0
        self._pedido: tuple[int, frozenset[str]] | None = None
        self._recibos: dict[int, asyncio.Future[None]] = {}
        self._recibo = 0
        self._tareas: set[asyncio.Task[Any]] = set()
        self._yendose = False
        self.roto = asyncio.Event()

    async def abrir(self) -> None:
        """Entra en la suscripción; vuelve cuando reparte o ya sabe quién."""
        async with self._conexion.hablando():
            self._canal: Channel = await self._conexion.canal_vigilado(self._romper)
            await self._nombres.declarar_cola(self._canal)
            await self._nombres.declarar_resto(self._canal)
            await atar(self._canal, self._nombres.cola, self._exchange.nombre, self._informe().patrones)
            mia = self._nombres.miembro(self._yo)
            await self._canal.queue_declare(mia, exclusive=True, auto_delete=True)
            await self._canal.queue_bind(mia, self._nombres.miembros)
            await self._canal.basic_consume(mia, self._atender, no_ack=True)
            await self._canal.basic_consume(self._nombres.miembros, self._atender, no_ack=True)
        await self._postularse()
        self._lanzar(self._vigilar())

    @property
    def reina(self) -> Jefatura | None:
        """La jefatura, si es de este mismo consumidor y ya reparte."""
        return self._jefatura if self._coronado.is_set() else None

    async def _postularse(self) -> None:
        async with self._postulando:
            if self._jefatura is not None:
                return
            control = await self._conexion.intentar_cerrojo(self._nombres.jefe)
            if control is not None:
                self._jefatura = Jefatura(
                    self._conexion, self._exchange, self._nombres, self._yo, self._avisar, self._romper
                )
                async with self._conexion.hablando():
                    await self._jefatura.empezar(control, self._informe())
                self._coronado.set()
                self._perder_jefe()
                self._avisar()
            else:
                await self._presentarse()

    async def _presentarse(self) -> None:
        # Desde que el informe sale, lo que se le diga va detrás: lo que deje de ser cierto se lo tiene que oír.
        self._hay_jefe = True
        self._hay_jefe = await mandar(self._canal, self._nombres.jefe, PRESENTE, a_datos(self._informe()))
        self._avisar()

    def _romper(self) -> None:
        self.roto.set()
        self._avisar()

    async def _vigilar(self) -> None:
        while True:
            await asyncio.sleep(_REVISION_S)
            if self._jefatura is None and not await mandar(self._canal, self._nombres.jefe, LATIDO):
                self._perder_jefe()
                await self._postularse()

    def _perder_jefe(self) -> None:
        self._hay_jefe = False
        for recibo in self._recibos.values():
            if not recibo.done():
                recibo.set_exception(SinJefe())
                recibo.exception()  # puede que ya nadie la espere
        self._recibos.clear()
        # Lo que llegó del anterior es de este consumidor, aunque el lote no llegara entero.
        self._llegadas, self._parciales = self.en_camino(), []
        self._pedido = None
        self._turno += 1

    # --- lo que le dicen ---------------------------------------------------------------------------------------

    async def _atender(self, crudo: DeliveredMessage) -> None:
        if formato.propia(crudo, formato.REPARTO) is not None:
            self._llega(crudo)
            return
        tipo, datos = leer(crudo)
        if self._yendose and tipo in (PRESENTATE, VACANTE):
            self._perder_jefe()  # quien lo manda espera a que se acabe de ir
        elif tipo == HECHO:
            recibo = self._recibos.pop(datos["recibo"], None)
            if recibo is not None and not recibo.done():
                recibo.set_result(None)
        elif tipo == VIVES:
            self._lanzar(mandar(self._canal, self._nombres.jefe, VIVO, {"miembro": self._yo, "ronda": datos}))
        elif tipo == PRESENTATE and datos["jefe"] != self._yo:
            self._perder_jefe()  # lo que se le dijera al anterior no consta
            self._lanzar(self._presentarse())
        elif tipo == VACANTE and self._jefatura is None:
            self._perder_jefe()
            self._lanzar(self._postularse())

    def _llega(self, crudo: DeliveredMessage) -> None:
        reparto = json.loads(formato.propia(crudo, formato.REPARTO))
        if self._jefatura is not None or self._pedido is None or reparto["turno"] != self._turno:
            return  # quien la pidió ya no espera: quien reparte la recupera al oír el turno siguiente
        ficha = Ficha(
            crudo,
            formato.a_mensaje(crudo),
            reparto["intentos"],
            reparto["sospechosa"],
            _huella=reparto["huella"],
        )
        self._parciales.append(ficha)
        if reparto["ultima"]:
            self._pedido, self._recibido = None, self._turno
            self._llegadas, self._parciales = self._llegadas + self._parciales, []
            self._avisar()

    def _sobran(self, fichas: list[Ficha]) -> None:
        if fichas:
            self._lanzar(self._devolver_sobrantes(fichas))

    async def _devolver_sobrantes(self, fichas: list[Ficha]) -> None:
        """Ya no se dicen propias al presentarse: si el jefe cambia antes de oírlo, el nuevo las tiene por libres."""
        if self._jefatura is not None:
            await self._coronado.wait()  # pero al postularse quizá sí se dijeron
        await self.devolver([(ficha, ficha.intentos) for ficha in fichas])

    # --- lo que pide y responde --------------------------------------------------------------------------------

    def en_camino(self) -> list[Ficha]:
        """Lo que le dieron y aún nadie ha recogido."""
        return [*self._llegadas, *self._parciales]

    async def tomar(self, maximo: int, excepto: Collection[str]) -> list[Ficha]:
        """Lo que haya; si no hay, lo deja pedido. No se puede cancelar a mitad: lo hace quien la llama."""
        if self._jefatura is not None and not self._coronado.is_set():
            return []
        if self._llegadas and (fichas := self._recoger(maximo, excepto)):
            return fichas
        if self._jefatura is not None:
            return await self._jefatura.tomar(maximo, excepto)
        quiero = (maximo, frozenset(excepto))
        if self._hay_jefe and self._pedido != quiero:
            self._pedido = quiero
            self._pedir(*quiero)
        return []

    def _recoger(self, maximo: int, excepto: Collection[str]) -> list[Ficha]:
        fichas: list[Ficha] = []
        resto: list[Ficha] = []
        for ficha in self._llegadas:
            sirve = len(fichas) < maximo and ficha.mensaje.clave not in excepto
            (fichas if sirve else resto).append(ficha)
        self._llegadas = []
        self._sobran(resto)
        return fichas

    def no_espero(self) -> None:
        """Nadie espera ya: lo pedido se retira, y lo que había llegado vuelve."""
        if self._pedido is not None:
            self._pedido = None
            self._pedir(0, frozenset())
        sobran, self._llegadas = self._llegadas, []
        self._sobran(sobran)

    def _pedir(self, maximo: int, excepto: frozenset[str]) -> None:
        self._turno += 1
        self._parciales = []
        datos = {
            "miembro": self._yo,
            "turno": self._turno,
            "recibido": self._recibido,
            "maximo": maximo,
            "excepto": sorted(excepto),
        }
        self._lanzar(self._mandar_peticion(datos))

    async def _mandar_peticion(self, datos: dict[str, Any]) -> None:
        if not await mandar(self._canal, self._nombres.jefe, PEDIR, datos):
            self._perder_jefe()
            await self._postularse()

    async def terminar(self, fichas: Sequence[Ficha]) -> None:
        if (jefatura := self._exigir_jefe()) is not None:
            if not await jefatura.terminar(fichas):
                raise SinJefe
        else:
            await self._preguntar(TERMINAR, huellas=[ficha.huella for ficha in fichas])

    async def devolver(self, fichas: Iterable[tuple[Ficha, int]]) -> None:
        if (jefatura := self._exigir_jefe()) is not None:
            await jefatura.devolver(fichas)
        else:
            await self._preguntar(DEVOLVER, fichas=[(ficha.huella, intentos) for ficha, intentos in fichas])

    async def contar(self, ficha: Ficha, intentos: int) -> None:
        if (jefatura := self._exigir_jefe()) is not None:
            await jefatura.contar(ficha, intentos)
        else:
            await self._preguntar(CONTAR, huella=ficha.huella, intentos=intentos)

    def _exigir_jefe(self) -> Jefatura | None:
        if self.roto.is_set() or (self._jefatura is not None and not self._coronado.is_set()):
            raise SinJefe
        return self._jefatura

    async def _preguntar(self, tipo: str, **datos: Any) -> None:
        if not self._hay_jefe:
            raise SinJefe
        self._recibo += 1
        recibo = self._recibos[self._recibo] = asyncio.get_running_loop().create_future()
        numero = self._recibo
        try:
            if not await mandar(
                self._canal, self._nombres.jefe, tipo, {"miembro": self._yo, "recibo": numero, **datos}
            ):
                self._hay_jefe = False
                self._lanzar(self._postularse())
                raise SinJefe
            await recibo
        finally:
            self._recibos.pop(numero, None)

    # --- irse --------------------------------------------------------------------------------------------------

    async def cerrar(self) -> None:
        """Se va en orden, si RabbitMQ contesta pronto; y si no, también."""
        self._yendose = True
        try:
            async with self._conexion.hablando(_PLAZO_DESPEDIDA_S):
                if self.roto.is_set():
                    return
                async with self._postulando:
                    sobran, self._llegadas, self._parciales = self.en_camino(), [], []
                    if sobran:
                        await self.devolver([(ficha, ficha.intentos) for ficha in sobran])
                    if self.reina is not None:
                        await self.reina.abdicar()
                    elif self._hay_jefe:
                        await mandar(self._canal, self._nombres.jefe, ADIOS, {"miembro": self._yo})
        except (BrokerNoDisponible, SinJefe):
            pass  # lo que tuviera volverá a entregarse cuando RabbitMQ dé la conexión por muerta
        finally:
            self.caer()

    def caer(self) -> tuple[str, list[str]] | None:
        """Deja de estar. Si repartía, qué reinado fue y las huellas que tenían los demás."""
        for tarea in self._tareas:
            tarea.cancel()
        self._perder_jefe()
        reinado = None
        if self._jefatura is not None:
            ajenas = self._jefatura.caer()
            if self._coronado.is_set():
                reinado = (self._jefatura.id, ajenas)
        self._jefatura = None
        self._coronado.clear()
        self._romper()
        return reinado

    def _lanzar(self, corrutina: Coroutine[Any, Any, Any]) -> None:
        tarea = asyncio.create_task(corrutina)
        self._tareas.add(tarea)
        tarea.add_done_callback(self._al_terminar)

    def _al_terminar(self, tarea: asyncio.Task[Any]) -> None:
        self._tareas.discard(tarea)
        if not tarea.cancelled() and tarea.exception() is not None and not isinstance(tarea.exception(), SinJefe):
            self._romper()

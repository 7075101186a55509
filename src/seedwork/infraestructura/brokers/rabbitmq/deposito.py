"""Lo que quien reparte ha leído de la cola: lo da, lo acusa, lo recupera, y cuenta sus intentos."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any

from aiormq import Channel
from aiormq.abc import DeliveredMessage

from seedwork.infraestructura.brokers.rabbitmq import formato
from seedwork.infraestructura.brokers.rabbitmq.acuses import Acuses
from seedwork.infraestructura.brokers.rabbitmq.alta import ATADA, SENTINELA
from seedwork.infraestructura.brokers.rabbitmq.conexion import Conexion
from seedwork.infraestructura.brokers.rabbitmq.registro import Registro
from seedwork.infraestructura.brokers.rabbitmq.topologia import Nombres
from seedwork.infraestructura.brokers.rabbitmq.ventana import Ficha, Ventana

_CALMA_S = 0.002  # si acaba de llegar algo, lo más probable es que detrás venga más
_CALMA_RAFAGA_S = 0.005
_RAFAGA_MAXIMA_S = 0.03
_REVISION_S = 0.5
_PREFETCH_MAXIMO = 8192
_REPASO_S = 0.01
_SIN_CANAL = "RabbitMQ cerró el canal de la cola"

Dicha = Ficha | str  # de este mismo consumidor, o la huella de una de otro


class Deposito:
    """Un canal, y lo que ha llegado por él. Para cambiar el prefetch se abre otro: lo no acusado vuelve, y en su orden.

    `lanzar` corre algo aparte cuyo fallo acaba con todo; `avisar` dice que puede haber algo nuevo que repartir.
    """

    def __init__(
        self,
        conexion: Conexion,
        nombres: Nombres,
        registro: Registro,
        lanzar: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        avisar: Callable[[], None],
    ) -> None:
        self._conexion = conexion
        self._nombres = nombres
        self._registro = registro
        self._lanzar = lanzar
        self._avisar = avisar
        self._canal: Channel | None = None
        self._ventana = Ventana()
        self._acuses = Acuses()
        self._sospechosas: Collection[str] | None = ()
        self._quieto = asyncio.Lock()
        self._por_acusar: list[Ficha] = []
        self._acusando: asyncio.Task[None] | None = None
        self._ultima = 0.0
        self._relleno = False
        self._sentinela: int | None = None
        self._repetibles: set[str] = set()
        self._atada: int | None = None
        self._cambiando = False
        self._cerrado = False

    # --- abrir y cerrar ----------------------------------------------------------------------------------------

    async def abrir(
        self,
        canal: Channel,
        tenencias: dict[str, list[tuple[str, str | None]]],
        sospechosas: Collection[str] | None,
    ) -> None:
        """`tenencias`: lo que cada uno tiene ya. `sospechosas`: de lo que vuelva a llegar, lo que tenía un muerto."""
        self._sospechosas = sospechosas
        for miembro, tengo in tenencias.items():
            self._ventana.reclamar(miembro, tengo)
        self._relleno = self._registro.acta.relleno
        async with self._quieto:
            await self._consumir(canal)
        if self._relleno:
            self._lanzar(self._vigilar_relleno())

    async def cerrar(self) -> list[str]:
        """Deja de repartir, con los acuses mandados; las huellas de lo que alguien tiene."""
        self._cerrado = True
        async with self._quieto:
            await self._mandar_por_acusar()
            return self._ventana.en_manos()

    def en_manos(self, menos: str) -> list[str]:
        return self._ventana.en_manos(menos)

    async def _consumir(self, canal: Channel) -> None:
        await canal.basic_qos(prefetch_count=self._registro.acta.prefetch)
        self._canal = canal
        canal.closing.add_done_callback(lambda _: self._al_cerrarse(canal))
        await canal.basic_consume(self._nombres.relleno if self._relleno else self._nombres.cola, self._llega)

    def _al_cerrarse(self, canal: Channel) -> None:
        if canal is self._canal and not self._cerrado:
            self._canal = None
            self._lanzar(_roto())

    def _pedir_mas(self) -> None:
        """Lo que hay no sirve a quien espera: quizá lo que se vació, o lo de detrás."""
        prefetch = self._registro.acta.prefetch
        if not self._ventana.faltan and len(self._ventana) >= prefetch:
            prefetch = min(_PREFETCH_MAXIMO, 4 * prefetch)
        if (self._ventana.faltan or prefetch > self._registro.acta.prefetch) and not self._cambiando:
            self._cambiando = True
            self._lanzar(self._reabrir(prefetch))

    async def _reabrir(self, prefetch: int) -> None:
        if prefetch > self._registro.acta.prefetch:
            self._registro.acta.prefetch = prefetch
            await self._registro.escribir()
        async with self._quieto:
            await self._mandar_por_acusar()
            viejo, self._canal = self._canal, None
            self._cambiando = False
            if viejo is None or self._cerrado:
                return
            # Lo que está en manos de alguien sigue estándolo: se reconoce al volver a llegar.
            self._sospechosas = self._ventana.sospechosas()
            nueva = Ventana()
            for miembro, tengo in self._ventana.tenencias().items():
                nueva.reclamar(miembro, tengo)
            self._ventana, self._acuses = nueva, Acuses()
            self._sentinela = self._atada = None
            await viejo.close()
            await self._consumir(await self._conexion.canal(confirmar=False))

    # --- lo que llega ------------------------------------------------------------------------------------------

    async def _llega(self, crudo: DeliveredMessage) -> None:
        if crudo.channel is not self._canal:
            return
        etiqueta = crudo.delivery_tag or 0
        self._acuses.llega(etiqueta)
        marca = formato.propia(crudo, formato.MARCA)
        if marca == SENTINELA:
            self._sentinela, self._repetibles = etiqueta, set(json.loads(crudo.body))
            self._lanzar(self._tras_relleno(self._canal))
            return
        if marca == ATADA and self._relleno:
            self._atada = etiqueta
            return
        intentos = formato.entera(crudo, formato.INTENTOS)
        ficha = Ficha(crudo, formato.a_mensaje(crudo), intentos, False, self._ventana, etiqueta)
        contados = self._registro.acta.intentos
        if contados:
            ficha.intentos = contados.get(ficha.huella, intentos)
        vuelta = bool(crudo.redelivered)
        if vuelta:
            ficha.sospechosa = self._sospechosas is None or ficha.huella in self._sospechosas
        if marca is not None or self._repetida(ficha):
            self._lanzar(self._acusar([ficha]))
            return
        self._ventana.llegar(ficha, vuelta=vuelta)
        self._ultima = time.monotonic()
        self._avisar()

    def _repetida(self, ficha: Ficha) -> bool:
        """Si está también en el relleno: sólo lo que hay en la cola delante de su marca."""
        leyendo_cola = self._sentinela is not None and self._atada is None
        return leyendo_cola and bool(self._repetibles) and ficha.huella in self._repetibles

    async def _tras_relleno(self, canal: Channel) -> None:
        async with self._quieto:
            if canal is self._canal and not self._cerrado:
                await canal.basic_consume(self._nombres.cola, self._llega)

    async def _vigilar_relleno(self) -> None:
        """Cuando todo lo de delante de la sentinela terminó, la cola de relleno sobra."""
        while self._relleno:
            await asyncio.sleep(_REVISION_S)
            async with self._quieto:
                sentinela, atada = self._sentinela, self._atada
                if self._canal is None or sentinela is None or atada is None or self._acuses.primera != sentinela:
                    continue
                # Primero consta: si muriera entre lo uno y lo otro, el siguiente no esperaría a la sentinela.
                self._registro.acta.relleno = False
                await self._registro.escribir()
                await self._mandar_acuses([sentinela, atada])
                await self._canal.queue_delete(self._nombres.relleno)
                self._relleno, self._sentinela, self._repetibles = False, None, set()

    # --- repartir ----------------------------------------------------------------------------------------------

    async def asentar(self, miembro: str, maximo: int, excepto: Collection[str]) -> None:
        """Si está llegando una ráfaga, espera un poco a que llegue entera."""
        limite = time.monotonic() + _RAFAGA_MAXIMA_S
        while self._ventana.libres and not self._llena(miembro, maximo, excepto):
            ahora = time.monotonic()
            # Con uno solo no se sabe aún si es una ráfaga.
            calma_s = _CALMA_S if len(self._ventana.libres) == 1 else _CALMA_RAFAGA_S
            if ahora - self._ultima >= calma_s or ahora >= limite:
                return
            await asyncio.sleep(_CALMA_S / 2)

    def _llena(self, miembro: str, maximo: int, excepto: Collection[str]) -> bool:
        if len(self._ventana) >= self._registro.acta.prefetch:
            return True  # RabbitMQ no mandará más
        if len(self._ventana.libres) < maximo:
            return False
        return not excepto or len(self._ventana.elegibles(miembro, maximo, excepto)) >= maximo

    def tomar(self, miembro: str, maximo: int, excepto: Collection[str]) -> list[Ficha]:
        if self._cerrado or self._canal is None:
            return []
        fichas = self._ventana.tomar(miembro, maximo, excepto)
        if not fichas:
            self._pedir_mas()
        return fichas

    # --- lo que responden --------------------------------------------------------------------------------------

    async def terminar(self, miembro: str, dichas: Sequence[Dicha]) -> bool:
        """Vuelve con todo acusado; False si no pudo ser: hay que decírselo a quien reparta después."""
        while not self._cerrado and any(self._esperada(miembro, dicha) for dicha in dichas):  # noqa: ASYNC110
            await asyncio.sleep(_REPASO_S)
        if self._cerrado:
            return False
        halladas = [ficha for dicha in dichas if (ficha := self._hallar(miembro, dicha)) is not None]
        terminadas = [ficha for ficha in halladas if self._ventana.terminar(miembro, ficha)]
        if terminadas:
            self._avisar()
            await self._acusar(terminadas)
        contados = self._registro.acta.intentos
        if contados and [f for f in terminadas if contados.pop(f.huella, None)]:
            await self._registro.escribir()
        return True

    def _esperada(self, miembro: str, dicha: Dicha) -> bool:
        """La tiene, pero aún no ha vuelto a llegar por este canal: no se puede acusar."""
        de_otra = isinstance(dicha, str) or dicha.reinado is not self._ventana
        return de_otra and self._ventana.reclamada(miembro, _huella(dicha))

    async def devolver(self, miembro: str, dichas: Iterable[tuple[Dicha, int]]) -> None:
        """Con los intentos que debe llevar cada una."""
        contados, cambian = self._registro.acta.intentos, False
        devueltas = []
        for dicha, intentos in dichas:
            ficha = self._hallar(miembro, dicha)
            if ficha is not None:
                devueltas.append(ficha)
                ficha.sospechosa = False
                if ficha.intentos != intentos:
                    ficha.intentos, cambian = intentos, True
                    contados[ficha.huella] = intentos
            elif self._ventana.quitar_reclamo(miembro, huella := _huella(dicha)) and contados.get(huella) != intentos:
                contados[huella], cambian = intentos, True
        self._ventana.devolver(miembro, devueltas)
        self._avisar()
        if cambian:
            await self._registro.escribir()

    async def contar(self, miembro: str, dicha: Dicha, intentos: int) -> None:
        """Hace constar cuántos van, si la tiene; decirlo dos veces es como decirlo una."""
        huella = _huella(dicha)
        ficha = self._hallar(miembro, dicha)
        if ficha is not None:
            ficha.intentos = intentos
        elif not self._ventana.reclamada(miembro, huella):
            return
        self._registro.acta.intentos[huella] = intentos
        await self._registro.escribir()

    def soltar(self, miembro: str) -> None:
        """Murió: lo suyo queda libre, y es sospechoso."""
        sin_llegar = self._ventana.soltar(miembro)
        if self._sospechosas is not None:
            self._sospechosas = {*self._sospechosas, *sin_llegar}
        self._avisar()

    def recuperar(self, miembro: str, fichas: Sequence[Ficha]) -> None:
        """No le llegaron: nunca las tuvo."""
        halladas = [self._hallar(miembro, ficha) for ficha in fichas]
        for ficha, hallada in zip(fichas, halladas, strict=True):
            if hallada is None:
                self._ventana.quitar_reclamo(miembro, ficha.huella)
        self._ventana.devolver(miembro, [ficha for ficha in halladas if ficha is not None])
        self._avisar()

    def _hallar(self, miembro: str, dicha: Dicha) -> Ficha | None:
        """La ficha de esta ventana que corresponde a la que alguien tiene, que puede ser de otra anterior."""
        if isinstance(dicha, str):
            return self._ventana.buscar(miembro, dicha)
        if dicha.reinado is self._ventana:
            return dicha if dicha.dueno == miembro else None
        return self._ventana.buscar(miembro, dicha.huella)

    async def _acusar(self, fichas: Sequence[Ficha]) -> None:
        """Vuelve cuando RabbitMQ las da por acusadas; las de varios comparten el viaje."""
        if self._acusando is None:
            self._acusando = self._lanzar(self._mandar_tanda())
        self._por_acusar += fichas
        await asyncio.shield(self._acusando)  # aparte: a medias, alguna no se acusaría nunca

    async def _mandar_tanda(self) -> None:
        async with self._quieto:
            await self._mandar_por_acusar()

    async def _mandar_por_acusar(self) -> None:
        while self._por_acusar:
            tanda, self._por_acusar, self._acusando = self._por_acusar, [], None
            await self._mandar_acuses([ficha.orden for ficha in tanda])

    async def _mandar_acuses(self, etiquetas: Sequence[int]) -> None:
        if self._canal is None:
            raise ConnectionResetError(_SIN_CANAL)
        acuses = self._acuses.terminar(etiquetas)
        for etiqueta, todas in acuses:
            await self._canal.basic_ack(etiqueta, multiple=todas, wait=False)
        if not acuses:
            return
        # Un acuse no tiene respuesta: ésta dice que los anteriores llegaron.
        await self._canal.basic_qos(prefetch_count=self._registro.acta.prefetch)


def _huella(dicha: Dicha) -> str:
    return dicha if isinstance(dicha, str) else dicha.huella


async def _roto() -> None:
    raise ConnectionResetError(_SIN_CANAL)

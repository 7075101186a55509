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

_RAFAGA_S = 0.002  # si acaba de llegar algo, lo más probable es que detrás venga más
_RAFAGA_MAXIMA_S = 0.02
_REVISION_S = 0.5
_PREFETCH_MAXIMO = 8192
_RESUELTAS_MAXIMO = 2000

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
        lanzar: Callable[[Coroutine[Any, Any, None]], None],
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
        resueltas: Iterable[str],
    ) -> None:
        """`tenencias`: lo que cada uno tiene ya. `sospechosas`: de lo que vuelva a llegar, lo que tenía un muerto."""
        self._sospechosas = sospechosas
        self._ventana.resueltas.update(dict.fromkeys(resueltas))
        for miembro, tengo in tenencias.items():
            self._ventana.reclamar(miembro, tengo)
        self._relleno = self._registro.acta.relleno
        async with self._quieto:
            await self._consumir(canal)
        if self._relleno:
            self._lanzar(self._vigilar_relleno())

    async def cerrar(self) -> tuple[list[str], list[str]]:
        """Deja de repartir, con los acuses mandados; las huellas de lo que alguien tiene, y las resueltas."""
        self._cerrado = True
        async with self._quieto:
            return self._ventana.en_manos(), list(self._ventana.resueltas)[-_RESUELTAS_MAXIMO:]

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
            viejo, self._canal = self._canal, None
            self._cambiando = False
            if viejo is None or self._cerrado:
                return
            # Lo que está en manos de alguien sigue estándolo: se reconoce al volver a llegar.
            self._sospechosas = self._ventana.sospechosas()
            nueva = Ventana(self._ventana.resueltas)
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
        if marca is not None or self._repetida(ficha) or not self._ventana.llegar(ficha, vuelta=vuelta):
            self._lanzar(self._acusar([ficha]))
            return
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

    async def asentar(self, maximo: int) -> None:
        """Si está llegando una ráfaga, espera un poco a que llegue entera."""
        limite = time.monotonic() + _RAFAGA_MAXIMA_S
        while self._ventana.libres and len(self._ventana.libres) < maximo:
            ahora = time.monotonic()
            if ahora - self._ultima >= _RAFAGA_S or ahora >= limite:
                return
            await asyncio.sleep(_RAFAGA_S / 2)

    def tomar(self, miembro: str, maximo: int, excepto: Collection[str]) -> list[Ficha]:
        if self._cerrado or self._canal is None:
            return []
        fichas = self._ventana.tomar(miembro, maximo, excepto)
        if not fichas:
            self._pedir_mas()
        return fichas

    # --- lo que responden --------------------------------------------------------------------------------------

    async def terminar(self, miembro: str, dichas: Iterable[Dicha]) -> None:
        terminadas = []
        for dicha in dichas:
            ficha = self._hallar(miembro, dicha)
            if ficha is None:
                huella = _huella(dicha)
                if self._ventana.quitar_reclamo(miembro, huella):
                    self._ventana.resueltas[huella] = None
            elif self._ventana.terminar(miembro, ficha):
                terminadas.append(ficha)
        if terminadas:
            self._avisar()
            await self._acusar(terminadas)
        contados = self._registro.acta.intentos
        if contados and [f for f in terminadas if contados.pop(f.huella, None)]:
            await self._registro.escribir()

    async def devolver(self, miembro: str, dichas: Iterable[tuple[Dicha, int]]) -> None:
        """Con los intentos que debe llevar cada una."""
        contados, cambian = self._registro.acta.intentos, False
        devueltas = []
        for dicha, intentos in dichas:
            ficha = self._hallar(miembro, dicha)
            if ficha is not None:
                devueltas.append(ficha)
                if ficha.intentos != intentos:
                    ficha.intentos, cambian = intentos, True
                    contados[ficha.huella] = intentos
            elif self._ventana.quitar_reclamo(miembro, huella := _huella(dicha)) and contados.get(huella) != intentos:
                contados[huella], cambian = intentos, True
        self._ventana.devolver(miembro, devueltas)
        self._avisar()
        if cambian:
            await self._registro.escribir()

    async def contar(self, miembro: str, dicha: Dicha, fallidos: int) -> int | None:
        """Un intento más que los que consten o, si no ha llegado y no consta, que `fallidos`; None si no es suya."""
        contados = self._registro.acta.intentos
        ficha = self._hallar(miembro, dicha)
        if ficha is not None:
            huella, intentos = ficha.huella, ficha.intentos + 1
            ficha.intentos = intentos
        elif self._ventana.reclamada(miembro, huella := _huella(dicha)):
            intentos = contados.get(huella, fallidos) + 1
        else:
            return None
        contados[huella] = intentos
        await self._registro.escribir()
        return intentos

    def soltar(self, miembro: str) -> None:
        """Murió: lo suyo queda libre, y es sospechoso."""
        sin_llegar = self._ventana.soltar(miembro)
        if self._sospechosas is not None:
            self._sospechosas = {*self._sospechosas, *sin_llegar}
        self._avisar()

    def recuperar(self, miembro: str, fichas: Sequence[Ficha]) -> None:
        """No le llegaron: nunca las tuvo."""
        self._ventana.devolver(miembro, [ficha for ficha in fichas if ficha.reinado is self._ventana])

    def _hallar(self, miembro: str, dicha: Dicha) -> Ficha | None:
        """La ficha de esta ventana que corresponde a la que alguien tiene, que puede ser de otra anterior."""
        if isinstance(dicha, str):
            return self._ventana.buscar(miembro, dicha)
        if dicha.reinado is self._ventana:
            return dicha if dicha.dueno == miembro else None
        return self._ventana.buscar(miembro, dicha.huella)

    async def _acusar(self, fichas: Sequence[Ficha]) -> None:
        async with self._quieto:
            # Las de una ventana anterior volvieron a la cola con su canal.
            vigentes = [ficha for ficha in fichas if ficha.reinado is self._ventana]
            await self._mandar_acuses([ficha.orden for ficha in vigentes])
            for ficha in fichas:
                if ficha.reinado is not self._ventana:
                    self._ventana.resueltas[ficha.huella] = None

    async def _mandar_acuses(self, etiquetas: Sequence[int]) -> None:
        acuses = self._acuses.terminar(etiquetas)
        for numero, (etiqueta, todas) in enumerate(acuses, 1):
            if self._canal is not None:
                await self._canal.basic_ack(etiqueta, multiple=todas, wait=numero == len(acuses))


def _huella(dicha: Dicha) -> str:
    return dicha if isinstance(dicha, str) else dicha.huella


async def _roto() -> None:
    raise ConnectionResetError("RabbitMQ cerró el canal de la cola")

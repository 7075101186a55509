"""Lo que mantiene viva una proyección: de cada mensaje recibido, a la bitácora y a sus tablas en una transacción."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.hilos import correr_en
from seedwork.aplicacion.mensajes import Entrada, Inbox, YaProcesada
from seedwork.aplicacion.transaccion import Transaccion
from seedwork.infraestructura.brokers import Mensaje, RegistroEsquemas
from seedwork.infraestructura.codificacion import exigir_legible, identidad
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.lectura import leer
from seedwork.infraestructura.outbox import INQUILINO
from seedwork.infraestructura.politica import ErrorPermanente
from seedwork.infraestructura.proyecciones import Proyeccion, bitacora
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import proyecciones


class Alimentador:
    """Aplica una vez cada mensaje, y ninguno de los que ya trajo una reconstrucción."""

    def __init__(self, proyeccion: Proyeccion, sistema: Sistema, esquemas: RegistroEsquemas | None = None) -> None:
        if sistema.motor is None:
            raise ErrorDeArranque(f"La proyección {proyeccion.nombre!r} vive en una base de datos: dé `base_datos`")
        exigir_legible(proyeccion.ruta.firma.mensaje)
        self._proyeccion = proyeccion
        self._suscripcion = proyeccion.suscripcion or ""
        self._sistema = sistema
        self._esquemas = esquemas
        self._hilos = ThreadPoolExecutor(proyeccion.concurrencia, thread_name_prefix=self._suscripcion)

    async def procesar(self, mensaje: Mensaje) -> None:
        """Aplica el mensaje; los errores de la función salen tal cual."""
        contenido = await leer(mensaje, self._proyeccion.ruta.firma.mensaje, self._esquemas)
        with en_nombre_de(schema=mensaje.cabeceras.get(INQUILINO)):
            await correr_en(self._hilos, self._alimentar, mensaje, contenido)

    def cerrar(self) -> None:
        """Suelta sus hilos, sin esperar a la función que siga en alguno."""
        self._hilos.shutdown(wait=False)

    def _alimentar(self, mensaje: Mensaje, contenido: Any) -> None:
        id = identidad(mensaje, contenido)
        if id is None:
            raise ErrorPermanente("El mensaje no trae id: una proyección no sabría si ya lo contó")

        def efecto(transaccion: Transaccion) -> None:
            transaccion.ambito.get(Inbox).anotar(Entrada(suscripcion=self._suscripcion, id=id))
            sesion = transaccion.ambito.get(Session)
            nuevo = bitacora.anotar(sesion, mensaje, id)
            if nuevo or not self._ya_esta(sesion, bitacora.secuencia_de(sesion, mensaje.topico, id)):
                self._proyeccion.ruta(contenido, sesion)

        try:
            self._sistema.en_transaccion(efecto)
        except YaProcesada:
            return

    def _ya_esta(self, sesion: Session, secuencia: int) -> bool:
        """Si la última reconstrucción aplicó ese mensaje, que otra proyección había anotado."""
        columnas = proyecciones.c.hasta, proyecciones.c.omitidas
        estado = sesion.execute(select(*columnas).where(proyecciones.c.nombre == self._proyeccion.nombre)).first()
        return estado is not None and secuencia <= estado.hasta and secuencia not in estado.omitidas

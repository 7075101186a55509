"""Volver a plegar una proyección desde la bitácora, al lado de la viva, y ponerla en su lugar de una vez."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from seedwork.infraestructura.base_datos import de_lectura
from seedwork.infraestructura.codificacion import decodificar, rfc3339
from seedwork.infraestructura.inquilinos import Inquilinos
from seedwork.infraestructura.proyecciones import Proyeccion, bitacora
from seedwork.infraestructura.proyecciones.bitacora import Anotado
from seedwork.infraestructura.proyecciones.sombra import Sombra
from seedwork.infraestructura.proyecciones.turno import ErrorReconstruccion, Turno
from seedwork.infraestructura.tablas import bitacora as tabla_bitacora
from seedwork.infraestructura.tablas import inbox

_VUELTAS = 20


class MensajeSinAplicar(ErrorReconstruccion):
    """La función de la proyección no pudo con un mensaje de la bitácora."""


class BitacoraIncompleta(ErrorReconstruccion):
    """La proyección aplicó mensajes que la bitácora no tiene."""


@dataclass(frozen=True)
class Avance:
    """Van `aplicados` de los `total` que se conocen; el último avance es de cuando ya se lee la nueva."""

    aplicados: int
    total: int


def reconstruir(
    inquilinos: Inquilinos, proyeccion: Proyeccion, *, omitir: Collection[str] = (), aunque_falten: bool = False
) -> Iterator[Avance]:
    """Reconstruye la proyección de la base, o del inquilino, en curso; tras cada lote dice por dónde va.

    Lo vivo se sigue leyendo y alimentando; sólo al final, mientras se aplica lo último y se sustituye, esperan las
    proyecciones de esa base. Si algo falla, si se deja de iterar o si el proceso muere, nada cambió y se puede volver a
    empezar.

    Lanza `EnReconstruccion` si otro lo está haciendo; `MensajeSinAplicar` ante uno que no se puede aplicar y cuyo id no
    está en `omitir`; y, salvo con `aunque_falten`, `BitacoraIncompleta` si el resultado perdería lo que la viva ya
    contó.
    """
    motor = inquilinos.motor_de(inquilinos.schema())
    turno = Turno(motor, proyeccion.nombre)
    turno.tomar()
    try:
        if not aunque_falten:
            _exigir_completa(motor, proyeccion)
        with Sombra(motor, proyeccion.tablas) as sombra:
            yield from _Reconstruccion(proyeccion, sombra, turno, omitir).correr()
    finally:
        turno.soltar()


class _Reconstruccion:
    def __init__(self, proyeccion: Proyeccion, sombra: Sombra, turno: Turno, omitir: Collection[str]) -> None:
        self._proyeccion = proyeccion
        self._sombra = sombra
        self._turno = turno
        self._omitir = omitir
        self._omitidas: list[int] = []
        self._hasta = 0
        self._aplicados = 0

    def correr(self) -> Iterator[Avance]:
        for _ in range(_VUELTAS):  # cada una alcanza lo que llegó durante la anterior, que es menos
            antes = self._aplicados
            with self._sombra.transaccion(escribe=True) as sesion:
                horizonte = bitacora.horizonte(sesion)
            with self._sombra.transaccion() as sesion:
                total = self._aplicados + bitacora.contar(sesion, self._proyeccion.topicos, self._hasta, horizonte)
            yield Avance(self._aplicados, total)
            while self._aplicar_lote(horizonte, total):
                yield Avance(self._aplicados, total)
            self._hasta = horizonte
            if self._aplicados - antes <= bitacora.LOTE:
                break
        with self._sombra.transaccion(escribe=True) as sesion:
            horizonte = bitacora.horizonte(sesion)  # desde aquí nadie anota ni aplica nada
            self._turno.entregar(sesion, horizonte, self._omitidas)
            while lote := self._leer(sesion, horizonte):
                self._aplicar(sesion, lote)
            self._sombra.sustituir(sesion)
        yield Avance(self._aplicados, self._aplicados)

    def _aplicar_lote(self, horizonte: int, total: int) -> bool:
        # Se lee y se aplica en transacciones distintas: en SQLite, quien está leyendo no deja confirmar a nadie.
        with self._sombra.transaccion() as sesion:
            lote = self._leer(sesion, horizonte)
        with self._sombra.transaccion() as sesion:
            self._aplicar(sesion, lote, total)
        return bool(lote)

    def _leer(self, sesion: Session, horizonte: int) -> Sequence[Anotado]:
        return bitacora.leer(sesion, self._proyeccion.topicos, self._hasta, horizonte)

    def _aplicar(self, sesion: Session, lote: Sequence[Anotado], total: int | None = None) -> None:
        for anotado in lote:
            if anotado.id in self._omitir:
                self._omitidas.append(anotado.secuencia)
            else:
                self._aplicar_uno(sesion, anotado)
            self._aplicados += 1
            self._hasta = anotado.secuencia
            if total is not None:
                self._turno.renovar(self._aplicados, total)

    def _aplicar_uno(self, sesion: Session, anotado: Anotado) -> None:
        try:
            contenido = decodificar(anotado.mensaje, self._proyeccion.ruta.firma.mensaje)
            self._proyeccion.ruta(contenido, sesion)
            sesion.flush()
            sesion.expunge_all()  # en vivo, cada mensaje empieza con una sesión vacía
        except Exception as error:
            cuando = rfc3339(datetime.fromtimestamp(anotado.fecha_ms / 1000, UTC))
            raise MensajeSinAplicar(
                f"El mensaje {anotado.id} de {anotado.mensaje.topico}, recibido el {cuando}, no se puede aplicar a"
                f" {self._proyeccion.nombre!r}: {type(error).__name__}: {error}"
            ) from error


def _exigir_completa(motor: Engine, proyeccion: Proyeccion) -> None:
    anotado = tabla_bitacora.c.topico.in_(proyeccion.topicos) & (tabla_bitacora.c.id == inbox.c.id)
    sin_anotar = select(func.count(), func.min(inbox.c.fecha_ms)).where(
        inbox.c.suscripcion == proyeccion.suscripcion, ~select(tabla_bitacora.c.id).where(anotado).exists()
    )
    with de_lectura(motor).connect() as conexion:
        cuantos, desde_ms = conexion.execute(sin_anotar).one()
    if cuantos:
        cuando = rfc3339(datetime.fromtimestamp(desde_ms / 1000, UTC))
        raise BitacoraIncompleta(
            f"{proyeccion.nombre!r} aplicó {cuantos} mensajes que la bitácora no tiene, el primero el {cuando}:"
            " reconstruida, los perdería"
        )

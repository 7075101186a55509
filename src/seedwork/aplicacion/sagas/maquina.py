"""La máquina de una saga: de cómo está y lo que pasa, a cómo queda y lo que manda. Sin entrada ni salida."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from seedwork.aplicacion.sagas.definicion import Paso, Rol, Saga
from seedwork.dominio.excepciones import ReglaIncumplida


class EstadoSaga(StrEnum):
    """Por dónde va: hacia delante, deshaciendo, detenida a la espera de una persona, o acabada de dos maneras."""

    EN_CURSO = "EN_CURSO"
    COMPENSANDO = "COMPENSANDO"
    DETENIDA = "DETENIDA"
    COMPLETADA = "COMPLETADA"
    COMPENSADA = "COMPENSADA"


ACABADAS = (EstadoSaga.COMPLETADA, EstadoSaga.COMPENSADA)


class EstadoPaso(StrEnum):
    """Cómo va un paso. `PEDIDO` en una saga que ya no avanza es que pudo hacerse y no tiene compensación."""

    PENDIENTE = "PENDIENTE"
    OMITIDO = "OMITIDO"
    PEDIDO = "PEDIDO"
    HECHO = "HECHO"
    FALLIDO = "FALLIDO"
    COMPENSANDO = "COMPENSANDO"
    COMPENSADO = "COMPENSADO"


class Que(StrEnum):
    """Lo que el diario de una saga puede decir."""

    INICIADA = "INICIADA"
    OMITIDO = "OMITIDO"
    PEDIDO = "PEDIDO"
    EXITO = "EXITO"
    FALLO = "FALLO"
    PLAZO_VENCIDO = "PLAZO_VENCIDO"
    COMPENSACION_PEDIDA = "COMPENSACION_PEDIDA"
    COMPENSADO = "COMPENSADO"
    TARDIO = "TARDIO"
    IGNORADO = "IGNORADO"
    AVISADO = "AVISADO"
    DETENIDA = "DETENIDA"
    REANUDADA = "REANUDADA"
    COMPLETADA = "COMPLETADA"
    COMPENSADA = "COMPENSADA"


@dataclass(frozen=True)
class Nota:
    """Una línea del diario: qué pasó, con qué evento o comando y, si hace falta, por qué."""

    que: Que
    mensaje: str
    detalle: str | None = None


@dataclass(frozen=True, kw_only=True)
class Instancia:
    """Cómo está una saga y los datos que reunió; `vence_ms` es cuándo deja de esperar, en milisegundos desde 1970."""

    estado: EstadoSaga
    pasos: tuple[EstadoPaso, ...]
    datos: Mapping[str, Any]
    motivo: str | None = None
    intentos: int = 0
    vence_ms: int | None = None


@dataclass(frozen=True)
class Transicion:
    """Cómo queda, los comandos que manda en orden, y lo que se apunta en su diario."""

    instancia: Instancia
    ordenes: tuple[type, ...] = ()
    notas: tuple[Nota, ...] = ()


class SagaNoDetenida(ReglaIncumplida):
    """Se quiso reanudar una saga que no está detenida."""


def iniciar(saga: Saga, datos: Mapping[str, Any], ahora_ms: int) -> Transicion:
    """Una saga recién empezada con los datos de su primer evento, y su primer paso pedido."""
    nueva = Instancia(estado=EstadoSaga.EN_CURSO, pasos=(EstadoPaso.PENDIENTE,) * len(saga.pasos), datos=datos)
    marcha = _Marcha(saga, nueva, ahora_ms)
    marcha.anotar(Que.INICIADA, saga.inicia)
    marcha.avanzar()
    return marcha.transicion()


def al_evento(saga: Saga, instancia: Instancia, tipo: type, trae: Mapping[str, Any], ahora_ms: int) -> Transicion:
    """Lo que hace la llegada de un evento de ese tipo con esos datos."""
    marcha = _Marcha(saga, instancia, ahora_ms)
    rol, i = saga.eventos.get(tipo, (Rol.INICIA, -1))
    match rol:
        case Rol.INICIA:  # ya empezó, o su definición no escucha ese evento
            marcha.anotar(Que.IGNORADO, tipo)
        case _ if marcha.no_hace_falta(i):
            marcha.anotar(Que.IGNORADO, tipo, "el paso no hace falta")
        case Rol.EXITO:
            marcha.exito(i, tipo, trae)
        case Rol.FALLO:
            marcha.fallo(i, tipo, trae.get("motivo"))
        case Rol.COMPENSADO:
            marcha.compensado(i, tipo)
        case _:
            assert_never(rol)
    return marcha.transicion()


def al_vencer(saga: Saga, instancia: Instancia, ahora_ms: int) -> Transicion:
    """Lo que hace el paso del tiempo; nada si aún no venció."""
    if instancia.vence_ms is None or ahora_ms < instancia.vence_ms:
        return Transicion(instancia)
    marcha = _Marcha(saga, instancia, ahora_ms)
    if instancia.estado is EstadoSaga.EN_CURSO:
        marcha.rendirse(instancia.pasos.index(EstadoPaso.PEDIDO))
    else:
        marcha.insistir(instancia.pasos.index(EstadoPaso.COMPENSANDO))
    return marcha.transicion()


def al_reanudar(saga: Saga, instancia: Instancia, ahora_ms: int) -> Transicion:
    """Vuelve a empezar la cuenta de intentos de la compensación que la detuvo; `SagaNoDetenida` si no lo está."""
    if instancia.estado is not EstadoSaga.DETENIDA:
        raise SagaNoDetenida(f"La saga {saga.nombre!r} está {instancia.estado}: sólo se reanuda una detenida")
    marcha = _Marcha(saga, instancia, ahora_ms)
    marcha.reanudar(instancia.pasos.index(EstadoPaso.COMPENSANDO))
    return marcha.transicion()


class _Marcha:
    """Una transición a medio hacer."""

    def __init__(self, saga: Saga, instancia: Instancia, ahora_ms: int) -> None:
        self._saga = saga
        self._estado = instancia.estado
        self._pasos = list(instancia.pasos)
        self._datos = instancia.datos
        self._motivo = instancia.motivo
        self._intentos = instancia.intentos
        self._vence_ms = instancia.vence_ms
        self._ahora_ms = ahora_ms
        self._ordenes: list[type] = []
        self._notas: list[Nota] = []

    def transicion(self) -> Transicion:
        instancia = Instancia(
            estado=self._estado,
            pasos=tuple(self._pasos),
            datos=self._datos,
            motivo=self._motivo,
            intentos=self._intentos,
            vence_ms=self._vence_ms,
        )
        return Transicion(instancia, tuple(self._ordenes), tuple(self._notas))

    def anotar(self, que: Que, tipo: type, detalle: str | None = None) -> None:
        self._notas.append(Nota(que, tipo.__name__, detalle))

    # --- hacia delante ------------------------------------------------------------------------------------------

    def no_hace_falta(self, i: int) -> bool:
        """Si el paso no se pidió ni se pedirá con los datos que hay: lo que le pase es cosa de otros."""
        si, sin_pedir = self._saga.pasos[i].si, self._pasos[i] in (EstadoPaso.PENDIENTE, EstadoPaso.OMITIDO)
        return si is not None and sin_pedir and not self._datos.get(si)

    def avanzar(self) -> None:
        """Pide el primer paso que haga falta y no esté hecho; lo hecho por adelantado no se vuelve a pedir."""
        self._vence_ms = None
        for i, paso in enumerate(self._saga.pasos):
            if self._pasos[i] is EstadoPaso.PENDIENTE and self.no_hace_falta(i):
                self._pasos[i] = EstadoPaso.OMITIDO
                self.anotar(Que.OMITIDO, paso.comando)
            if self._pasos[i] in (EstadoPaso.HECHO, EstadoPaso.OMITIDO):
                continue
            if self._pasos[i] is EstadoPaso.FALLIDO:
                self._deshacer()
                return
            self._pasos[i] = EstadoPaso.PEDIDO
            self._mandar(Que.PEDIDO, paso.comando)
            self._vence_ms = None if paso.plazo_s is None else self._ahora_ms + round(paso.plazo_s * 1000)
            return
        self._estado = EstadoSaga.COMPLETADA
        self._notas.append(Nota(Que.COMPLETADA, self._saga.nombre))

    def exito(self, i: int, tipo: type, trae: Mapping[str, Any]) -> None:
        antes = self._pasos[i]
        if antes is EstadoPaso.HECHO:
            self.anotar(Que.IGNORADO, tipo, "el paso ya estaba hecho")
            return
        self._datos = {**self._datos, **trae}
        if self._estado is EstadoSaga.EN_CURSO:
            self._pasos[i] = EstadoPaso.HECHO
            self.anotar(Que.EXITO, tipo)
            if antes is EstadoPaso.PEDIDO:
                self.avanzar()
        else:
            self._exito_tardio(i, tipo)

    def _exito_tardio(self, i: int, tipo: type) -> None:
        """Se hizo lo que se da por deshecho: se deshace otra vez, por si la compensación llegó antes que el comando."""
        paso = self._saga.pasos[i]
        self.anotar(Que.TARDIO, tipo)
        if paso.compensacion is None:
            self._pasos[i] = EstadoPaso.HECHO
            return
        if self._pasos[i] is not EstadoPaso.COMPENSANDO:
            self._pasos[i] = EstadoPaso.COMPENSADO
        self._mandar(Que.COMPENSACION_PEDIDA, paso.compensacion)

    # --- hacia atrás --------------------------------------------------------------------------------------------

    def fallo(self, i: int, tipo: type, motivo: str | None) -> None:
        antes, en_curso = self._pasos[i], self._estado is EstadoSaga.EN_CURSO
        if antes is not EstadoPaso.PEDIDO and not (en_curso and antes is EstadoPaso.PENDIENTE):
            self.anotar(Que.IGNORADO, tipo, f"el paso estaba {antes}")
            return
        self._pasos[i] = EstadoPaso.FALLIDO
        self._motivo = self._motivo or motivo or tipo.__name__
        self.anotar(Que.FALLO, tipo, motivo)
        if en_curso and antes is EstadoPaso.PEDIDO:
            self._deshacer()

    def rendirse(self, i: int) -> None:
        """El paso en curso no respondió a tiempo."""
        paso = self._saga.pasos[i]
        self._motivo = self._motivo or f"{paso.nombre} no respondió en {paso.plazo_s:g} s"
        self.anotar(Que.PLAZO_VENCIDO, paso.comando, self._motivo)
        self._deshacer()

    def compensado(self, i: int, tipo: type) -> None:
        antes = self._pasos[i]
        if antes is EstadoPaso.COMPENSANDO:
            self._pasos[i] = EstadoPaso.COMPENSADO
            self.anotar(Que.COMPENSADO, tipo)
            self._deshacer()
        elif antes in (EstadoPaso.HECHO, EstadoPaso.PEDIDO) and self._estado is not EstadoSaga.COMPLETADA:
            self._pasos[i] = EstadoPaso.COMPENSADO
            self.anotar(Que.COMPENSADO, tipo, "lo deshizo otro")
            if self._estado is EstadoSaga.EN_CURSO:
                self._motivo = self._motivo or f"Otro deshizo {self._saga.pasos[i].nombre}"
                self._deshacer()
        else:
            self.anotar(Que.IGNORADO, tipo, f"el paso estaba {antes}")

    def insistir(self, i: int) -> None:
        """La compensación en curso no respondió: se repite, o la saga se detiene."""
        compensacion = _compensacion(self._saga.pasos[i])
        self.anotar(Que.PLAZO_VENCIDO, compensacion, f"intento {self._intentos}")
        if self._intentos >= self._saga.intentos_compensacion:
            self._estado, self._vence_ms = EstadoSaga.DETENIDA, None
            self.anotar(Que.DETENIDA, compensacion, f"sin respuesta tras {self._intentos} intentos")
        else:
            self._intentar(compensacion, self._intentos + 1)

    def reanudar(self, i: int) -> None:
        compensacion = _compensacion(self._saga.pasos[i])
        self._estado = EstadoSaga.COMPENSANDO
        self.anotar(Que.REANUDADA, compensacion)
        self._intentar(compensacion, 1)

    def _deshacer(self) -> None:
        """Manda la compensación del último paso que se hizo o pudo hacerse, y espera; si no queda ninguno, acaba."""
        self._estado, self._vence_ms = EstadoSaga.COMPENSANDO, None
        for i, paso in reversed(list(enumerate(self._saga.pasos))):
            if self._pasos[i] not in (EstadoPaso.HECHO, EstadoPaso.PEDIDO) or paso.compensacion is None:
                continue
            if paso.compensado is not None:
                self._pasos[i] = EstadoPaso.COMPENSANDO
                self._intentar(paso.compensacion, 1)
                return
            self._pasos[i] = EstadoPaso.COMPENSADO
            self._mandar(Que.COMPENSACION_PEDIDA, paso.compensacion)
        self._estado, self._intentos = EstadoSaga.COMPENSADA, 0
        if self._saga.al_fallar is not None:
            self._mandar(Que.AVISADO, self._saga.al_fallar)
        self._notas.append(Nota(Que.COMPENSADA, self._saga.nombre, self._motivo))

    def _intentar(self, compensacion: type, intento: int) -> None:
        self._intentos = intento
        self._vence_ms = self._ahora_ms + round(self._saga.espera_s(intento) * 1000)
        self._mandar(Que.COMPENSACION_PEDIDA, compensacion)

    def _mandar(self, que: Que, comando: type) -> None:
        self._ordenes.append(comando)
        self.anotar(que, comando)


def _compensacion(paso: Paso) -> type:
    assert paso.compensacion is not None  # noqa: S101 - sin ella el paso nunca está COMPENSANDO
    return paso.compensacion

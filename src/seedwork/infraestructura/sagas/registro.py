"""Las sagas en la base: cada una se mueve en la transacción del evento que la mueve, con su diario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Row, bindparam, insert, select, update

from seedwork.aplicacion.compilacion import Ambito
from seedwork.aplicacion.firmas import nombre_de
from seedwork.aplicacion.mensajes import Reloj
from seedwork.aplicacion.sagas.definicion import Saga
from seedwork.aplicacion.sagas.maquina import (
    EstadoPaso,
    EstadoSaga,
    Instancia,
    Nota,
    Transicion,
    al_evento,
    al_reanudar,
    al_vencer,
    iniciar,
)
from seedwork.aplicacion.sagas.puerto import EventoSinSaga
from seedwork.dominio.eventos import EventoDominio
from seedwork.dominio.excepciones import ConflictoConcurrencia, NoEncontrado
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.sagas.definiciones import DefinicionesSagas, adaptador, campos_de
from seedwork.infraestructura.tablas import sagas, sagas_diario
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

_log = structlog.get_logger(__name__)

# Hechas una vez: a SQLAlchemy le cuesta más hacer una sentencia que ejecutarla.
_ESTA = (
    (sagas.c.inquilino == bindparam("de_inquilino"))
    & (sagas.c.saga == bindparam("de_saga"))
    & (sagas.c.clave == bindparam("de_clave"))
)
_LEER = select(sagas).where(_ESTA).with_for_update()
_LEER_LIBRE = select(sagas).where(_ESTA).with_for_update(skip_locked=True)
_MOVER = update(sagas).where(_ESTA, sagas.c.version == bindparam("leida"))


@dataclass(frozen=True)
class _Guardada:
    """Una saga tal como está en la base, con su definición."""

    saga: Saga
    clave: str
    version: int
    instancia: Instancia


class SagasSQLAlchemy:
    """Implementa `Sagas` en la transacción en curso.

    Una transición son tres sentencias: leer la saga (reservándola en PostgreSQL), escribirla si nadie la cambió, y su
    diario; más lo que dejen en el outbox los despachadores de sus comandos.
    """

    def __init__(
        self, uow: UnidadTrabajoSQLAlchemy, ambito: Ambito, definiciones: DefinicionesSagas, reloj: Reloj
    ) -> None:
        self._uow = uow
        self._ambito = ambito
        self._definiciones = definiciones
        self._inquilino = (uow.schema or "") if uow.schema_comun is not None else ""
        self._ahora_ms = int(reloj.ahora().timestamp() * 1000)

    def recibir(self, evento: object, *, id_mensaje: str | None = None) -> None:
        self._uow.exigir_escritura()
        nombres = self._definiciones.que_escuchan(type(evento))
        if not nombres:
            raise EventoSinSaga(f"Ninguna saga escucha {nombre_de(type(evento))}")
        if id_mensaje is None and isinstance(evento, EventoDominio):
            id_mensaje = str(evento.id)
        for nombre in nombres:
            self._recibir(self._definiciones.vigentes[nombre], evento, id_mensaje)

    def reanudar(self, saga: str, clave: str) -> None:
        guardada = self._leer(saga, clave)
        if guardada is None:
            raise NoEncontrado(f"No hay ninguna saga {saga!r} de {clave}")
        self._aplicar(guardada, al_reanudar(guardada.saga, guardada.instancia, self._ahora_ms), None)

    def vencer(self, saga: str, clave: str) -> bool:
        """Mueve una saga cuyo plazo pasó; False si ya no había nada que hacer, u otro proceso la está moviendo."""
        guardada = self._leer(saga, clave, saltar_tomada=True)
        if guardada is None:
            return False
        transicion = al_vencer(guardada.saga, guardada.instancia, self._ahora_ms)
        self._aplicar(guardada, transicion, None)
        return transicion.instancia != guardada.instancia

    def _recibir(self, vigente: Saga, evento: object, id_mensaje: str | None) -> None:
        tipo, clave = type(evento), str(getattr(evento, vigente.clave))
        guardada = self._leer(vigente.nombre, clave)
        if guardada is None:
            if tipo is vigente.inicia and vigente.empieza:
                self._empezar(vigente, clave, evento, id_mensaje)
            elif vigente.empieza:
                _log.warning(
                    "saga.sin_instancia", saga=vigente.nombre, clave=clave, evento=tipo.__name__, id=id_mensaje
                )
            return
        transicion = al_evento(guardada.saga, guardada.instancia, tipo, _datos(evento), self._ahora_ms)
        self._aplicar(guardada, transicion, id_mensaje)

    def _leer(self, nombre: str, clave: str, *, saltar_tomada: bool = False) -> _Guardada | None:
        consulta = _LEER_LIBRE if saltar_tomada else _LEER
        fila = self._uow.sesion.execute(consulta, self._es(nombre, clave), execution_options=self._uow.en_comun).first()
        return None if fila is None else self._guardada(fila)

    def _guardada(self, fila: Row[Any]) -> _Guardada:
        instancia = Instancia(
            estado=EstadoSaga(fila.estado),
            pasos=tuple(EstadoPaso(paso["estado"]) for paso in fila.pasos),
            datos=fila.datos,
            motivo=fila.motivo,
            intentos=fila.intentos,
            vence_ms=fila.vence_ms,
        )
        saga = self._definiciones.de(fila.saga, fila.definicion, fila.forma)
        return _Guardada(saga, fila.clave, fila.version, instancia)

    def _empezar(self, saga: Saga, clave: str, evento: object, id_mensaje: str | None) -> None:
        transicion = iniciar(saga, _datos(evento), self._ahora_ms)
        fila = {
            "inquilino": self._inquilino,
            "saga": saga.nombre,
            "clave": clave,
            "definicion": saga.version,
            "forma": saga.forma,
            "version": 1,
            "creada_ms": self._ahora_ms,
            **self._columnas(saga, transicion.instancia),
        }
        unicas = ("inquilino", "saga", "clave")
        if not insertar_si_falta(self._uow.sesion, sagas, fila, *unicas, opciones=self._uow.en_comun):
            raise ConflictoConcurrencia(f"Otro empezó a la vez la saga {saga.nombre!r} de {clave}")
        self._apuntar(saga, clave, transicion.notas, id_mensaje)
        self._mandar(transicion)

    def _aplicar(self, guardada: _Guardada, transicion: Transicion, id_mensaje: str | None) -> None:
        saga, clave = guardada.saga, guardada.clave
        if transicion.instancia != guardada.instancia:
            valores = {"version": guardada.version + 1, **self._columnas(saga, transicion.instancia)}
            cual = {**self._es(saga.nombre, clave), "leida": guardada.version}
            resultado: Any = self._uow.sesion.execute(_MOVER, {**cual, **valores}, execution_options=self._uow.en_comun)
            if resultado.rowcount != 1:
                raise ConflictoConcurrencia(f"Otro movió a la vez la saga {saga.nombre!r} de {clave}")
        self._apuntar(saga, clave, transicion.notas, id_mensaje)
        self._mandar(transicion)

    def _columnas(self, saga: Saga, instancia: Instancia) -> dict[str, Any]:
        pasos = zip(saga.pasos, instancia.pasos, strict=True)
        return {
            "estado": str(instancia.estado),
            "pasos": [{"paso": paso.nombre, "estado": str(estado)} for paso, estado in pasos],
            "datos": instancia.datos,
            "motivo": instancia.motivo,
            "intentos": instancia.intentos,
            "actualizada_ms": self._ahora_ms,
            "vence_ms": instancia.vence_ms,
        }

    def _apuntar(self, saga: Saga, clave: str, notas: Sequence[Nota], id_mensaje: str | None) -> None:
        de_quien = {"inquilino": self._inquilino, "saga": saga.nombre, "clave": clave}
        filas = [
            {
                **de_quien,
                "fecha_ms": self._ahora_ms,
                "que": str(nota.que),
                "mensaje": nota.mensaje,
                "detalle": nota.detalle,
                "id_mensaje": id_mensaje,
            }
            for nota in notas
        ]
        if filas:
            self._uow.sesion.execute(insert(sagas_diario), filas, execution_options=self._uow.en_comun)

    def _mandar(self, transicion: Transicion) -> None:
        datos, motivo = transicion.instancia.datos, transicion.instancia.motivo
        conocidos = datos if motivo is None else {**datos, "motivo": motivo}
        for tipo in transicion.ordenes:
            campos = {nombre: conocidos[nombre] for nombre in campos_de(tipo) if nombre in conocidos}
            comando = adaptador(tipo).validate_python(campos)
            self._definiciones.despachador(tipo).llamar(comando, self._ambito)

    def _es(self, nombre: str, clave: str) -> dict[str, str]:
        return {"de_inquilino": self._inquilino, "de_saga": nombre, "de_clave": clave}


def _datos(evento: object) -> dict[str, Any]:
    tipo: type = type(evento)
    datos: dict[str, Any] = adaptador(tipo).dump_python(evento, mode="json")
    return datos

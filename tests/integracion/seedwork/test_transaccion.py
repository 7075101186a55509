"""La unidad de trabajo: todo junto o nada, con los eventos de todos los agregados que pasaron por ella."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from tests.integracion.seedwork.banco import (
    Abrir,
    Cuenta,
    CuentaAbierta,
    Cuentas,
    Depositar,
    DineroDepositado,
    Saldo,
    armar,
    cuantas_cuentas,
    cuentas,
    filas_outbox,
)

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.queries import Query
from seedwork.aplicacion.uow import UnidadTrabajo
from seedwork.dominio.eventos import nuevo_id
from seedwork.dominio.excepciones import ReglaIncumplida
from seedwork.infraestructura.base_datos import TransaccionAnidada
from seedwork.infraestructura.sistema import Sistema


def _tipos(bus: Sistema) -> list[str]:
    return [fila.cabeceras["type"] for fila in filas_outbox(bus)]


def test_estado_y_mensaje_quedan_juntos(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    (fila,) = filas_outbox(bus)
    assert (fila.topico, fila.clave, fila.publicado_ms) == ("cuentas", str(id), None)
    assert cuantas_cuentas(bus) == 1


def test_si_el_handler_falla_no_queda_nada(bus: Sistema) -> None:
    id = nuevo_id()

    def efecto(t: Any) -> None:
        t.ambito.get(Cuentas).guardar(Cuenta.abrir(id))
        raise ReglaIncumplida("no")

    with pytest.raises(ReglaIncumplida):
        bus.en_transaccion(efecto)
    assert (cuantas_cuentas(bus), filas_outbox(bus)) == (0, [])


@pytest.mark.capacidad("A05")
def test_un_handler_de_otro_modulo_participa_en_la_transaccion_y_si_falla_nada_queda(tmp_path: Path) -> None:
    def regalar(evento: CuentaAbierta, repositorio: Cuentas) -> None:
        cuenta = repositorio.obtener(evento.id_cuenta)
        cuenta.depositar(10)
        repositorio.guardar(cuenta)

    def rechazar(evento: DineroDepositado, repositorio: Cuentas) -> None:
        if repositorio.obtener(evento.id_cuenta).saldo > 10:
            raise ReglaIncumplida("demasiado dinero")

    bus = armar(
        tmp_path,
        Modulo(nombre="regalos", eventos={CuentaAbierta: [regalar]}),
        Modulo(nombre="control", eventos={DineroDepositado: [rechazar]}),
    )
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    assert bus.ejecutar(Saldo(id=id)) == 10
    assert _tipos(bus) == ["CuentaAbierta", "DineroDepositado"]  # el evento de un handler de eventos también sale

    with pytest.raises(ReglaIncumplida):
        bus.ejecutar(Depositar(id=id, importe=1))
    assert bus.ejecutar(Saldo(id=id)) == 10
    assert len(filas_outbox(bus)) == 2
    bus.cerrar()


def test_salen_los_eventos_de_todos_los_agregados_y_se_guarda_lo_cambiado_sin_guardar(bus: Sistema) -> None:
    entregada, recibida = nuevo_id(), nuevo_id()
    bus.ejecutar(Abrir(id=entregada))

    def efecto(t: Any) -> None:
        repositorio = t.ambito.get(Cuentas)
        repositorio.obtener(entregada).depositar(3)  # cambiada y no guardada
        nueva = Cuenta.abrir(recibida)
        repositorio.guardar(nueva)
        nueva.depositar(4)  # cambiada después de guardar

    bus.en_transaccion(efecto)
    assert (bus.ejecutar(Saldo(id=entregada)), bus.ejecutar(Saldo(id=recibida))) == (3, 4)
    assert sorted(_tipos(bus)) == ["CuentaAbierta", "CuentaAbierta", "DineroDepositado", "DineroDepositado"]


def test_los_handlers_corren_en_el_orden_en_que_se_declaran(tmp_path: Path) -> None:
    orden: list[str] = []

    def anotar(nombre: str) -> Any:
        def handler(evento: CuentaAbierta) -> None:
            orden.append(nombre)

        return handler

    bus = armar(
        tmp_path,
        Modulo(nombre="a", eventos={CuentaAbierta: [anotar("1"), anotar("2"), anotar("3")]}),
        Modulo(nombre="b", eventos={CuentaAbierta: [anotar("4")]}),
    )
    bus.ejecutar(Abrir(id=nuevo_id()))
    assert orden == ["1", "2", "3", "4"]
    bus.cerrar()


def test_un_savepoint_que_falla_deshace_lo_suyo_y_sólo_lo_suyo(bus: Sistema) -> None:
    antes, dentro = nuevo_id(), nuevo_id()
    avisos: list[str] = []

    def efecto(t: Any) -> None:
        repositorio, uow = t.ambito.get(Cuentas), t.uow
        cuenta = Cuenta.abrir(antes)
        repositorio.guardar(cuenta)
        cuenta.depositar(1)
        with suppress(ReglaIncumplida), uow.savepoint():
            cuenta.depositar(100)
            repositorio.guardar(cuenta)
            cuenta.depositar(200)
            repositorio.guardar(Cuenta.abrir(dentro))
            uow.al_confirmar(lambda: avisos.append("dentro"))
            cuenta.depositar(-1)
        assert (cuenta.saldo, cuenta.movimientos) == (1, [1])
        assert repositorio.obtener(antes) is cuenta
        cuenta.depositar(2)

    bus.en_transaccion(efecto)
    assert bus.ejecutar(Saldo(id=antes)) == 3
    assert cuantas_cuentas(bus) == 1
    assert _tipos(bus) == ["CuentaAbierta", "DineroDepositado", "DineroDepositado"]
    assert avisos == []


def test_un_savepoint_que_termina_bien_conserva_estado_y_eventos(bus: Sistema) -> None:
    id = nuevo_id()

    def efecto(t: Any) -> None:
        with t.uow.savepoint():
            t.ambito.get(Cuentas).guardar(Cuenta.abrir(id))
            t.ambito.get(Cuentas).obtener(id).depositar(5)
        assert t.ambito.get(Session).execute(cuentas.select()).one().saldo == 5

    bus.en_transaccion(efecto)
    assert _tipos(bus) == ["CuentaAbierta", "DineroDepositado"]


def test_se_avisa_al_confirmar_y_un_aviso_que_falla_no_deshace_nada(bus: Sistema) -> None:
    avisos: list[str] = []

    def fallar() -> None:
        raise RuntimeError("nadie escucha")

    def efecto(t: Any) -> None:
        t.uow.al_confirmar(fallar)
        t.uow.al_confirmar(lambda: avisos.append("confirmada"))
        t.ambito.get(Cuentas).guardar(Cuenta.abrir(nuevo_id()))
        assert avisos == []

    bus.en_transaccion(efecto)
    assert avisos == ["confirmada"]
    assert cuantas_cuentas(bus) == 1


def test_salir_sin_confirmar_no_deja_nada_ni_avisa(bus: Sistema) -> None:
    avisos: list[str] = []
    with bus.transaccion() as t:
        t.ambito.get(Cuentas).guardar(Cuenta.abrir(nuevo_id()))
        t.uow.al_confirmar(lambda: avisos.append("no"))
    assert (cuantas_cuentas(bus), filas_outbox(bus), avisos) == (0, [], [])


class Escribir(Query[None]):
    pass


def escribir(query: Escribir, sesion: Session) -> None:
    sesion.execute(insert(cuentas).values(id=nuevo_id(), version=1, saldo=0, movimientos=[]))


def test_una_query_no_puede_escribir_y_la_conexion_sirve_después(tmp_path: Path) -> None:
    bus = armar(tmp_path, Modulo(nombre="mal", queries={Escribir: escribir}))
    with pytest.raises(OperationalError, match="readonly"):
        bus.ejecutar(Escribir())
    bus.ejecutar(Abrir(id=nuevo_id()))
    assert cuantas_cuentas(bus) == 1
    bus.cerrar()


class Anidar(Comando[None]):
    pass


def test_ejecutar_un_comando_dentro_de_otro_se_rechaza_en_vez_de_esperar(tmp_path: Path) -> None:
    def anidar(comando: Anidar, sesion: Session) -> None:
        sesion.execute(update(cuentas).values(saldo=0))
        bus.ejecutar(Abrir(id=nuevo_id()))

    bus = armar(tmp_path, Modulo(nombre="anidado", comandos={Anidar: anidar}))
    with pytest.raises(TransaccionAnidada, match="ya hay una transacción"):
        bus.ejecutar(Anidar())
    bus.ejecutar(Abrir(id=nuevo_id()))
    assert cuantas_cuentas(bus) == 1
    bus.cerrar()


class AbrirAsync(Comando[UUID]):
    pass


async def abrir_async(comando: AbrirAsync, repositorio: Cuentas, uow: UnidadTrabajo) -> UUID:
    id = nuevo_id()
    repositorio.guardar(Cuenta.abrir(id))
    return id


async def test_un_handler_async_con_transaccion_corre_desde_un_loop_y_sin_él(tmp_path: Path) -> None:
    bus = armar(tmp_path, Modulo(nombre="async", comandos={AbrirAsync: abrir_async}))
    ids = [await bus.ejecutar_async(AbrirAsync()), await asyncio.to_thread(bus.ejecutar, AbrirAsync())]
    with pytest.raises(RuntimeError, match="ejecutar_async"):
        bus.ejecutar(AbrirAsync())
    assert [bus.ejecutar(Saldo(id=id)) for id in ids] == [0, 0]
    assert cuantas_cuentas(bus) == 2
    bus.cerrar()


def test_se_confirma_en_un_solo_lugar() -> None:
    raiz = Path(__file__).parents[3] / "src" / "seedwork"
    lugares = [
        str(archivo.relative_to(raiz))
        for archivo in sorted(raiz.rglob("*.py"))
        if re.search(r"\.commit\(\)", archivo.read_text("utf-8"))
    ]
    assert lugares == ["aplicacion/transaccion.py", "infraestructura/uow.py"]

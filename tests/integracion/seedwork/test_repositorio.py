"""El repositorio base: identidad, versiones y conflictos, sobre un SQLite de verdad."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from tests.integracion.seedwork.banco import Abrir, Cuenta, Cuentas, Depositar

from seedwork.dominio.eventos import nuevo_id
from seedwork.dominio.excepciones import ConflictoConcurrencia, NoEncontrado, YaExiste
from seedwork.infraestructura.sistema import Sistema


def test_lo_guardado_se_obtiene_igual_en_otra_transaccion(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    bus.ejecutar(Depositar(id=id, importe=5))

    cuenta = bus.leer(lambda ambito: ambito.get(Cuentas).obtener(id))

    assert (cuenta.id, cuenta.version, cuenta.saldo, cuenta.movimientos) == (id, 2, 5, [5])
    assert not cuenta.tiene_eventos


def test_un_id_es_siempre_el_mismo_objeto_dentro_de_una_unidad_de_trabajo(bus: Sistema) -> None:
    id = nuevo_id()

    def efecto(t: Any) -> None:
        repositorio = t.ambito.get(Cuentas)
        cuenta = Cuenta.abrir(id)
        repositorio.guardar(cuenta)
        assert repositorio.obtener(id) is cuenta

    bus.en_transaccion(efecto)
    bus.leer(lambda a: _mismo(a.get(Cuentas), id))


def _mismo(repositorio: Any, id: Any) -> None:
    assert repositorio.obtener(id) is repositorio.obtener(id)


def test_obtener_lo_que_no_existe_dice_que_falta(bus: Sistema) -> None:
    id = uuid4()
    with pytest.raises(NoEncontrado, match=f"No existe Cuenta con id {id}"):
        bus.leer(lambda a: a.get(Cuentas).obtener(id))


def test_un_id_tomado_no_se_vuelve_a_agregar_y_la_transaccion_sigue_sana(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))

    def efecto(t: Any) -> int:
        repositorio = t.ambito.get(Cuentas)
        with pytest.raises(YaExiste, match=str(id)):
            repositorio.guardar(Cuenta(id=id))
        return int(repositorio.obtener(id).version)

    assert bus.en_transaccion(efecto) == 1


def test_guardar_lo_que_otro_ya_cambio_es_un_conflicto(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    vieja = bus.leer(lambda a: a.get(Cuentas).obtener(id))
    bus.ejecutar(Depositar(id=id, importe=1))

    with pytest.raises(ConflictoConcurrencia, match=str(id)):
        bus.en_transaccion(lambda t: t.ambito.get(Cuentas).guardar(replace(vieja, saldo=99)))

    assert bus.leer(lambda a: a.get(Cuentas).obtener(id)).saldo == 1


def test_bloquear_relee_y_descubre_que_otro_lo_cambio(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))

    def efecto(t: Any) -> None:
        repositorio = t.ambito.get(Cuentas)
        cuenta = repositorio.obtener(id)
        assert repositorio.obtener(id, bloquear=True) is cuenta
        cuenta.version = 7
        with pytest.raises(ConflictoConcurrencia):
            repositorio.obtener(id, bloquear=True)

    bus.en_transaccion(efecto)


def test_cada_guardado_sube_la_version_en_uno(bus: Sistema) -> None:
    id = nuevo_id()

    def efecto(t: Any) -> list[int]:
        repositorio = t.ambito.get(Cuentas)
        cuenta = Cuenta.abrir(id)
        versiones = [cuenta.version]
        for importe in (1, 2):
            repositorio.guardar(cuenta)
            versiones.append(cuenta.version)
            cuenta.depositar(importe)
        return versiones

    assert bus.en_transaccion(efecto) == [0, 1, 2]
    assert bus.leer(lambda a: a.get(Cuentas).obtener(id)).version == 3

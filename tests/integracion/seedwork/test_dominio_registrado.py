"""El registro de repositorios por agregado: tipado, comprobado al arrancar, y claro cuando algo no está."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.integracion.seedwork.banco import BANCO, Abrir, Cuentas, Depositar, cuentas, metadatos

from seedwork.aplicacion.dominio import AgregadoDesconocido, Dominio, Repositorios
from seedwork.aplicacion.firmas import FirmaInvalida
from seedwork.aplicacion.modulo import Modulo
from seedwork.dominio.eventos import nuevo_id
from seedwork.infraestructura.dependencias import PuertoSinProveedor
from seedwork.infraestructura.sistema import bootstrap


class VistaCuentas:
    def __init__(self, sesion: Session) -> None:
        self._sesion = sesion

    def saldo(self, id: UUID) -> int:
        return self._sesion.execute(select(cuentas.c.saldo).where(cuentas.c.id == id)).scalar_one()


class DominioBanco(Dominio):
    cuenta: Repositorios[Cuentas, VistaCuentas]


def depositar(comando: Depositar, dominio: DominioBanco) -> int:
    assert_type(dominio.cuenta.dominio, Cuentas)
    assert_type(dominio.cuenta.consulta, VistaCuentas)
    cuenta = dominio.cuenta.dominio.obtener(comando.id)
    cuenta.depositar(comando.importe)
    dominio.cuenta.dominio.guardar(cuenta)
    return dominio.cuenta.consulta.saldo(comando.id)


VISTAS = Modulo(nombre="vistas", puertos={VistaCuentas: VistaCuentas})


@pytest.mark.capacidad("B06")
def test_un_handler_pide_el_dominio_y_usa_los_repositorios_de_cada_agregado(tmp_path: Path) -> None:
    bus = bootstrap(
        [BANCO, VISTAS], base_datos=f"sqlite:///{tmp_path}/b.db", base=metadatos, comandos={Depositar: depositar}
    )
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    assert bus.ejecutar(Depositar(id=id, importe=4)) == 4
    with bus.transaccion() as t:  # los dos son los de la misma transacción
        dominio = t.ambito.get(DominioBanco)
        dominio.cuenta.dominio.obtener(id).depositar(1)
        t.uow.extraer_eventos()
        assert dominio.cuenta.consulta.saldo(id) == 5
    bus.cerrar()


@pytest.mark.capacidad("B06")
def test_un_agregado_que_no_esta_se_nombra_junto_a_los_que_hay(tmp_path: Path) -> None:
    bus = bootstrap(
        [BANCO, VISTAS], base_datos=f"sqlite:///{tmp_path}/b.db", base=metadatos, comandos={Depositar: depositar}
    )
    with (
        bus.transaccion() as t,
        pytest.raises(AgregadoDesconocido, match="DominioBanco no tiene el agregado 'cliente': tiene cuenta"),
    ):
        _ = t.ambito.get(DominioBanco).cliente
    bus.cerrar()


def test_un_repositorio_que_nadie_provee_detiene_el_arranque(tmp_path: Path) -> None:
    with pytest.raises(PuertoSinProveedor, match=r"DominioBanco pide .*VistaCuentas"):
        bootstrap([BANCO], base_datos=f"sqlite:///{tmp_path}/b.db", comandos={Depositar: depositar})


class Mal(Dominio):
    cuenta: Cuentas


def _pide_mal(comando: Depositar, dominio: Mal) -> int:
    raise NotImplementedError


def test_un_agregado_mal_declarado_detiene_el_arranque(tmp_path: Path) -> None:
    with pytest.raises(FirmaInvalida, match=r"Mal\.cuenta se declara como `Repositorios\["):
        bootstrap([BANCO], base_datos=f"sqlite:///{tmp_path}/b.db", comandos={Depositar: _pide_mal})


class Libro:
    def titulo(self) -> str:
        return "Rayuela"


class DominioEnMemoria(Dominio):
    libro: Repositorios[Libro, Libro]


def _contar(comando: Abrir, dominio: DominioEnMemoria) -> None:
    assert dominio.libro.dominio.titulo() == dominio.libro.consulta.titulo() == "Rayuela"


def test_un_dominio_que_vive_con_el_proceso_no_necesita_base() -> None:
    bus = bootstrap(comandos={Abrir: _contar}, puertos={Libro: Libro})
    bus.ejecutar(Abrir(id=nuevo_id()))
    bus.cerrar()

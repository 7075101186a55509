"""`seedwork sagas`: verlas todas, ver una y reanudar la que se detuvo, con la base de verdad."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update
from tests.integracion.seedwork import viajes
from tests.integracion.seedwork.bases import base_nueva
from tests.unit.seedwork.viaje import VIAJE, Pagado, PagoDevuelto, SinPlazas, ViajePedido

from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.sagas.puerto import Sagas
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.sagas.temporizador import Temporizador
from seedwork.infraestructura.sistema import Sistema, bootstrap
from seedwork.infraestructura.tablas import sagas
from seedwork.presentacion.cli import seedwork

Mandar = Callable[..., Result]
EXCURSION = replace(VIAJE, nombre="excursion")


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(getattr(request, "param", "sqlite"), tmp_path) as url:
        yield url


@pytest.fixture
def mandar(base: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mandar]:
    """Da quien corre el mandato sobre la aplicación que arma esa función."""

    def sobre(aplicacion: Callable[[], Sistema]) -> Mandar:
        monkeypatch.setattr(viajes, "aplicacion", aplicacion, raising=False)

        def mandar(*argumentos: str) -> Result:
            app = "tests.integracion.seedwork.viajes:aplicacion"
            return CliRunner().invoke(seedwork, ["--app", app, "sagas", *argumentos])

        return mandar

    return sobre


def empezar(sistema: Sistema, *ids: str) -> None:
    for id in ids:
        sistema.en_transaccion(lambda t, uno=id: t.ambito.get(Sagas).recibir(ViajePedido(id_viaje=uno, monto=1)))  # type: ignore[misc]


def detener(sistema: Sistema, id: str) -> None:
    """Deja detenida la saga de un viaje: nadie respondió a la compensación de su pago."""
    for evento in (Pagado(id_viaje=id), SinPlazas(id_viaje=id)):
        sistema.en_transaccion(lambda t, e=evento: t.ambito.get(Sagas).recibir(e))  # type: ignore[misc]
    assert sistema.motor is not None
    for _ in range(VIAJE.intentos_compensacion):
        with sistema.motor.begin() as conexion:
            conexion.execute(update(sagas).where(sagas.c.clave == id).values(vence_ms=1))
        Temporizador(sistema).vuelta()


@pytest.mark.capacidad("X02")
@pytest.mark.parametrize("base", ["sqlite", "postgres"], indirect=True)
def test_una_saga_detenida_se_lista_se_ve_y_se_reanuda(base: str, mandar: Callable[..., Mandar]) -> None:
    sistema = viajes.armar(base)
    empezar(sistema, "uno", "dos", "tres")
    detener(sistema, "dos")
    mandar_ = mandar(lambda: viajes.armar(base))

    listadas = mandar_("listar", "--estado", "DETENIDA", "--json")
    (detenida,) = json.loads(listadas.stdout)
    assert (detenida["saga"], detenida["clave"], detenida["motivo"]) == ("viaje", "dos", "SinPlazas")
    assert len(json.loads(mandar_("listar", "--json").stdout)) == 3
    assert "hay más" in mandar_("listar", "--maximo", "2").stderr
    tabla = mandar_("listar").stdout
    assert "DETENIDA" in tabla
    assert "Pagar" in tabla

    vista = mandar_("ver", "dos").stdout
    assert "viaje de dos (versión 1): DETENIDA" in vista
    assert "sin respuesta tras 3 intentos" in vista

    reanudada = mandar_("reanudar", "dos", "--json")
    assert reanudada.exit_code == 0
    assert json.loads(reanudada.stdout)["diario"][-2]["que"] == "REANUDADA"
    sistema.en_transaccion(lambda t: t.ambito.get(Sagas).recibir(PagoDevuelto(id_viaje="dos")))
    assert json.loads(mandar_("ver", "dos", "--json").stdout)["estado"] == "COMPENSADA"
    sistema.cerrar()


@pytest.mark.parametrize(
    ("argumentos", "codigo", "frase"),
    [
        (["ver", "nadie"], 1, "No hay ninguna saga 'viaje' de nadie"),
        (["reanudar", "nadie"], 1, "No hay ninguna saga 'viaje' de nadie"),
        (["reanudar", "uno"], 1, "sólo se reanuda una detenida"),
        (["listar", "--saga", "otra"], 2, "No hay ninguna saga 'otra': las que hay son viaje"),
        (["listar", "--estado", "PARADA"], 2, "PARADA"),
        (["ver"], 2, "ID"),
    ],
)
def test_lo_que_no_se_puede_hacer_dice_por_que(
    base: str, mandar: Callable[..., Mandar], argumentos: list[str], codigo: int, frase: str
) -> None:
    sistema = viajes.armar(base)
    empezar(sistema, "uno")
    sistema.cerrar()
    resultado = mandar(lambda: viajes.armar(base))(*argumentos)
    assert resultado.exit_code == codigo, resultado.output
    assert frase in resultado.output


def test_con_varias_sagas_hay_que_decir_cual_y_sin_ninguna_no_hay_nada_que_ver(
    base: str, mandar: Callable[..., Mandar]
) -> None:
    viajes.armar(base).cerrar()
    con_dos = mandar(lambda: viajes.armar(base, VIAJE, EXCURSION))
    assert "Diga cuál, con `--saga`: las que hay son viaje, excursion" in con_dos("ver", "uno").output
    assert con_dos("ver", "uno", "--saga", "excursion").exit_code == 1
    sin_ninguna = mandar(lambda: bootstrap([Modulo(nombre="nada")], base_datos=base))("listar")
    assert (sin_ninguna.exit_code, "no lleva ninguna saga" in sin_ninguna.output) == (2, True)


@pytest.mark.parametrize("base", ["postgres"], indirect=True)
def test_la_de_un_inquilino_se_reanuda_diciendo_de_quien_es(base: str, mandar: Callable[..., Mandar]) -> None:
    def armar() -> Sistema:
        return viajes.armar(base, schema=lambda: None, crear_schema=True)

    sistema = armar()
    with en_nombre_de(schema="uno"):
        empezar(sistema, "a")
        detener(sistema, "a")
    sistema.cerrar()
    mandar_ = mandar(armar)
    assert "con `--inquilino`" in mandar_("listar").output
    assert json.loads(mandar_("listar", "--inquilino", "dos", "--json").stdout) == []
    estado: Any = json.loads(mandar_("reanudar", "a", "--inquilino", "uno", "--json").stdout)["estado"]
    assert estado == "COMPENSANDO"

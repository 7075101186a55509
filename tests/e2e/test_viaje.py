"""El viaje de una reserva por la suite entera: procesos, puertos, navegador, correo y cliente gRPC de verdad."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest
from google.protobuf.json_format import ParseDict
from selenium.webdriver import Chrome
from tests.e2e.navegador import abrir_navegador, errores_de_consola, esperar, esperar_a, todos, uno
from tests.e2e.oficina import Oficina, abierta
from tests.e2e.suite import DESTINATARIO, SuiteReal, entorno_de, reserva_nueva
from tests.e2e.terminal import CTRL_C, en_terminal, existe
from tests.integracion.sidecar_apoyo import pb
from tests.procesos import RAIZ, Proceso, hasta

CONECTADO = '#estado-conexion[data-estado="conectado"]'
NOTIFICACIONES = "sub-notificacion-eventos-reservas"
PARADA_S = 10.0


@pytest.fixture
def oficina() -> Iterator[Oficina]:
    with abierta() as oficina:
        yield oficina


def _texto(correo: EmailMessage) -> str:
    cuerpo = correo.get_body(("plain",))
    assert cuerpo is not None
    return str(cuerpo.get_content())


def _paso(navegador: Chrome, tipo: str) -> str:
    """El id del evento de ese tipo en el recorrido que se está mirando."""
    return str(esperar(navegador, f'#recorrido [data-evento="{tipo}"]').get_attribute("data-id-evento"))


def _dos_correos(navegador: Chrome) -> None:
    """Espera a que la reserva que se mira tenga el de recibida y el de aprobada."""
    esperar_a(navegador, lambda: len(todos(navegador, '#recorrido [data-evento="correo.enviado"]')) == 2)


@pytest.mark.capacidad("A09", "A10", "A11")
def test_una_reserva_hecha_en_la_pagina_o_por_grpc_llega_sola_a_la_pagina_y_al_correo(
    tmp_path: Path, oficina: Oficina
) -> None:
    with SuiteReal(tmp_path / "datos", SMTP_URL=oficina.url) as suite:
        procesos = {nombre: suite.lanzar(nombre) for nombre in ("api", "sidecar", "notificaciones", "ui")}
        with abrir_navegador(tmp_path / "perfil") as navegador:
            suite.esperar(*procesos.values())
            navegador.get(suite.ui)
            esperar(navegador, CONECTADO)
            navegador.execute_script("window.sinRecargar = true")

            uno(navegador, "#boton-reservar").click()
            id_creada, id_aprobada = _paso(navegador, "ReservaCreada"), _paso(navegador, "ReservaAprobada")
            _dos_correos(navegador)
            id_reserva = uno(navegador, "#recorrido-id").text
            for estacion in ("api", "unidad-trabajo", "outbox", "broker", "notificaciones", "pagina"):
                assert uno(navegador, f'[data-estacion="{estacion}"]').get_attribute("data-alcanzada") == "si"
            guardada = httpx.get(f"{suite.api}/vuelos/reserva-query/{id_reserva}", trust_env=False).json()
            assert (guardada["id"], guardada["estado"]) == (id_reserva, "APROBADA")

            assert [(str(correo["Message-ID"]), str(correo["Subject"])) for correo in oficina.recibidos] == [
                (f"<{id_creada}@aeroalpes.example>", f"Recibimos tu reserva {id_reserva[:8]}"),
                (f"<{id_aprobada}@aeroalpes.example>", f"Tu reserva {id_reserva[:8]} está aprobada"),
            ]
            assert {str(correo["To"]) for correo in oficina.recibidos} == {DESTINATARIO}
            assert all(id_reserva in _texto(correo) for correo in oficina.recibidos)

            por_cliente = _reservar_con_el_cliente(suite, tmp_path)
            por_codigo = _reservar_con_el_stub(suite)
            for id in (por_cliente, por_codigo):
                esperar(navegador, f'#lista-reservas [data-id="{id}"]').click()
                esperar(navegador, f'#recorrido[data-reserva="{id}"]')
                _paso(navegador, "ReservaAprobada")
                _dos_correos(navegador)
            assert len(todos(navegador, "#lista-reservas [data-id]")) == 3
            assert navegador.execute_script("return window.sinRecargar") is True
            assert errores_de_consola(navegador) == []

        suite.entregar_otra_vez(NOTIFICACIONES)
        hasta(lambda: suite.atendido(NOTIFICACIONES), "se atendiera lo repetido")
        assert len(oficina.identidades) == len(set(oficina.identidades)) == 6

        assert procesos["api"].parar() == 0
        assert _codigo(suite, "ConsultarReserva", pb.QueryReserva(id=id_reserva)) is grpc.StatusCode.UNAVAILABLE
        assert {nombre: proceso.parar() for nombre, proceso in procesos.items()} == dict.fromkeys(procesos, 0)
        for nombre, proceso in procesos.items():
            assert "Traceback" not in proceso.salida, nombre


def _reservar_con_el_cliente(suite: SuiteReal, carpeta: Path) -> str:
    cliente = Proceso([sys.executable, "src/sidecar/cliente.py"], suite.entorno, carpeta / "cliente.txt", RAIZ)
    assert cliente.termina() == 0, cliente.salida
    assert re.findall(r"^Reserva \w+", cliente.salida, re.MULTILINE) == ["Reserva creada", "Reserva consultada"]
    creada, consultada = re.findall(r"^  id +([0-9a-f-]{36})$", cliente.salida, re.MULTILINE)
    assert creada == consultada, cliente.salida
    return str(creada)


def _reservar_con_el_stub(suite: SuiteReal) -> str:
    pedida = ParseDict(reserva_nueva(), pb.Reserva())
    clave = (("idempotency-key", str(uuid4())),)
    with suite.vuelos() as vuelos:
        creada = vuelos.CrearReserva(pedida, timeout=10, metadata=clave)
        assert creada.mensaje == "OK"
        assert vuelos.CrearReserva(pedida, timeout=10, metadata=clave).reserva.id == creada.reserva.id
        leida = vuelos.ConsultarReserva(pb.QueryReserva(id=creada.reserva.id), timeout=10)
    assert leida.reserva.id == creada.reserva.id
    assert leida.reserva.itinerarios[0].odos == pedida.itinerarios[0].odos

    a_ningun_sitio = ParseDict(reserva_nueva(), pb.Reserva())
    leg = a_ningun_sitio.itinerarios[0].odos[0].segmentos[0].legs[0]
    leg.destino.CopyFrom(leg.origen)
    otra = pb.Reserva(itinerarios=[*pedida.itinerarios] * 2)
    assert _codigo(suite, "CrearReserva", pb.Reserva()) is grpc.StatusCode.INVALID_ARGUMENT
    assert _codigo(suite, "CrearReserva", a_ningun_sitio) is grpc.StatusCode.INVALID_ARGUMENT
    assert _codigo(suite, "CrearReserva", otra, metadata=clave) is grpc.StatusCode.INVALID_ARGUMENT
    assert _codigo(suite, "ConsultarReserva", pb.QueryReserva(id="no es un id")) is grpc.StatusCode.INVALID_ARGUMENT
    assert _codigo(suite, "ConsultarReserva", pb.QueryReserva(id=str(uuid4()))) is grpc.StatusCode.NOT_FOUND
    return str(creada.reserva.id)


def _codigo(suite: SuiteReal, metodo: str, mensaje: object, **opciones: Any) -> grpc.StatusCode:
    """Con qué código de estado falla la llamada."""
    with suite.vuelos() as vuelos, pytest.raises(grpc.RpcError) as error:
        getattr(vuelos, metodo)(mensaje, timeout=10, **opciones)
    codigo: grpc.StatusCode = error.value.code()
    return codigo


def test_make_run_arranca_todo_dice_la_direccion_y_con_ctrl_c_no_deja_a_nadie(tmp_path: Path) -> None:
    entorno = entorno_de(tmp_path / "datos")
    sello = tmp_path / "sello"
    sello.touch()
    make = ["make", "--no-print-directory", "run", f"PY={sys.executable}", f"SUITE={sello}", "ROTO="]
    with en_terminal(make, {**entorno, "MAKEFLAGS": ""}, RAIZ) as terminal:
        texto = terminal.esperar_texto("AeroAlpes está en marcha", 60)
        (direccion,) = re.findall(r"AeroAlpes está en marcha: (http://\S+)", texto)
        assert direccion.endswith(f":{entorno['UI_PUERTO']}/")
        with httpx.Client(base_url=direccion, trust_env=False, timeout=20) as http:
            aceptada = http.post("/api/vuelos/reserva-comando", json=reserva_nueva())
            assert aceptada.status_code == 202
            hasta(lambda: http.get(aceptada.headers["Location"]).status_code == 200, "existiera la reserva")
            hasta(lambda: list((tmp_path / "datos" / "buzon").glob("*.eml")), "llegara el correo")

        ordenes = terminal.descendientes()
        for servicio in ("src/aeroalpes/api", "src/sidecar/main.py", "src/notificaciones/main.py", "src/ui/main.py"):
            assert any(servicio in orden for orden in ordenes.values()), (servicio, ordenes)
        inicio = time.monotonic()
        terminal.teclear(CTRL_C)
        assert terminal.codigo(PARADA_S) == 0, terminal.texto
        assert time.monotonic() - inicio < PARADA_S
        assert not [orden for pid, orden in ordenes.items() if existe(pid)]
        assert "Traceback" not in terminal.texto
        assert "se le obliga" not in terminal.texto

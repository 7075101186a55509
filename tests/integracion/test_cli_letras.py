"""Cada forma de `seedwork letras-muertas`, sobre un broker de verdad y sin lanzar procesos."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integracion.eventos_reserva import conectado, creada

from seedwork import Mensaje, conectar
from seedwork.infraestructura.brokers import LetraMuerta
from seedwork.presentacion.cli import grupo, letras, seedwork

APP = """
from aeroalpes.modulos.vuelos.infraestructura.schema.v1.eventos import TOPICO, EventosReserva
from seedwork import Mensajeria

m = Mensajeria()

@m.message_handler(TOPICO)
def oir(evento: EventosReserva) -> None: ...
"""
Mandar = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"embebido:///{tmp_path}/broker.db"


@pytest.fixture
def mandar(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Mandar]:
    (tmp_path / "app_de_letras.py").write_text(APP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROKER_URL", url)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(grupo, "configurar_registro", lambda: None)

    def mandar(*argumentos: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["seedwork", "--app", "app_de_letras:m", "letras-muertas", *argumentos])
        with pytest.raises(SystemExit) as salida:
            grupo.correr(seedwork)
        return int(salida.value.code or 0), *capsys.readouterr()

    yield mandar
    sys.modules.pop("app_de_letras", None)


def apartar(url: str, suscripcion: str, *cuerpos: bytes) -> None:
    async def correr() -> None:
        broker = conectar(url)
        toma = await broker.suscribir(suscripcion, [suscripcion])
        await broker.publicar(
            [Mensaje(topico=suscripcion, cuerpo=cuerpo, cabeceras={"id": str(n)}) for n, cuerpo in enumerate(cuerpos)]
        )
        quedan = len(cuerpos)
        while quedan:
            for entrega in await toma.recibir(quedan):
                await toma.desechar(entrega, "no se pudo")
                quedan -= 1
        await broker.cerrar()

    asyncio.run(correr())


def apartar_mensaje(url: str, mensaje: Mensaje) -> None:
    async def correr() -> None:
        async with conectado(url) as broker:
            toma = await broker.suscribir("una", [mensaje.topico])
            await broker.publicar([mensaje])
            (entrega,) = await toma.recibir(1)
            await toma.desechar(entrega, "no se pudo")

    asyncio.run(correr())


def esperan(url: str) -> list[LetraMuerta]:
    async def correr() -> list[LetraMuerta]:
        broker = conectar(url)
        try:
            return await broker.letras_muertas.listar()
        finally:
            await broker.cerrar()

    return asyncio.run(correr())


def test_listar_filtra_acota_y_dice_si_puede_haber_mas(mandar: Mandar, url: str) -> None:
    apartar(url, "una", b"a", b"b")
    apartar(url, "otra", b"c")

    codigo, salida, errores = mandar("listar")
    assert (codigo, errores) == (0, "3 letras muertas\n")
    assert salida.count("no se pudo") == 3
    assert [letra["suscripcion"] for letra in json.loads(mandar("listar", "--json", "--suscripcion", "otra")[1])] == [
        "otra"
    ]
    assert "puede haber más" in mandar("listar", "--maximo", "2")[2]
    assert mandar("listar", "--suscripcion", "ninguna")[:2] == (0, "")


def test_ver_ensena_el_texto_y_en_json_los_bytes_que_no_lo_son(mandar: Mandar, url: str) -> None:
    apartar(url, "una", "año".encode(), b"\xff\x00")
    texto, binaria = (letra.id for letra in esperan(url))

    codigo, salida, _ = mandar("ver", texto)
    assert codigo == 0
    assert "cuerpo: año" in salida
    assert "motivo: no se pudo" in salida
    vista = json.loads(mandar("ver", binaria, "--json")[1])
    assert base64.b64decode(vista["cuerpo_base64"]) == b"\xff\x00"
    assert vista["cabeceras"] == {"id": "1"}
    assert "datos" not in vista


def test_lo_que_dice_una_en_avro_se_lee_con_su_esquema_y_sus_bytes_siguen_ahi(mandar: Mandar, url: str) -> None:
    mensaje = creada()
    apartar_mensaje(url, mensaje)
    apartar_mensaje(url, replace(mensaje, cuerpo=b"\xff" + mensaje.cuerpo))
    buena, rota = (letra.id for letra in esperan(url))

    vista = json.loads(mandar("ver", buena, "--json")[1])
    assert (vista["datos"]["type"], vista["datos"]["reserva_creada"]["id_reserva"]) == ("ReservaCreada", mensaje.clave)
    assert (
        vista["cuerpo"].encode() if "cuerpo" in vista else base64.b64decode(vista["cuerpo_base64"])
    ) == mensaje.cuerpo
    assert f'"id_reserva": "{mensaje.clave}"' in mandar("ver", buena)[1]
    assert "datos" not in json.loads(mandar("ver", rota, "--json")[1])


def test_decidir_varias_dice_cuales_y_falla_si_alguna_no_estaba(mandar: Mandar, url: str) -> None:
    apartar(url, "una", b"a", b"b", b"c")
    uno, dos, tres = (letra.id for letra in esperan(url))

    codigo, salida, errores = mandar("reenviar", uno, "no-esta", uno, "--json")
    assert (codigo, json.loads(salida)) == (1, {"reenviadas": [uno], "no_estaban": ["no-esta"]})
    assert "No hay letra muerta 'no-esta'" in errores
    assert mandar("descartar", dos)[:2] == (0, "1 letra muerta descartada\n")
    assert [letra.id for letra in esperan(url)] == [tres]


def test_todas_son_todas_aunque_no_quepan_en_una_pagina(
    mandar: Mandar, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letras, "_LOTE", 2)
    apartar(url, "una", *[b"x"] * 5)
    apartar(url, "otra", b"y")

    assert mandar("descartar", "--suscripcion", "una", "--si")[:2] == (0, "5 letras muertas descartadas\n")
    assert [letra.suscripcion for letra in esperan(url)] == ["otra"]
    assert mandar("reenviar", "--todas")[:2] == (0, "1 letra muerta reenviada\n")
    assert esperan(url) == []

"""Un cuerpo que no es lo que se pide se rechaza con un problema 4xx y no deja nada."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integracion.aeroalpes.reservas import RUTAS_POST, cuerpo, es_problema, guardado, itinerario, leg

JSON = {"content-type": "application/json"}
Quieta = tuple[httpx.Client, Path]


def _con_leg(**cambios: Any) -> bytes:
    return json.dumps(cuerpo(itinerarios=[itinerario(leg(**cambios))])).encode()


def _crudo(marca: str, texto: str) -> bytes:
    """Una reserva con `texto` tal cual en el lugar de una fecha: lo que json no sabe escribir."""
    return _con_leg(fecha_salida=marca).replace(json.dumps(marca).encode(), texto.encode())


MALOS: dict[str, bytes] = {
    "vacío": b"",
    "no es json": b"{",
    "sobra texto": json.dumps(cuerpo()).encode() + b"x",
    "comillas simples": b"{'itinerarios': []}",
    "null": b"null",
    "una lista": b"[]",
    "un texto": b'"hola"',
    "un número": b"7",
    "un objeto vacío": b"{}",
    "itinerarios null": b'{"itinerarios": null}',
    "itinerarios texto": b'{"itinerarios": "BOG-JFK"}',
    "itinerarios objeto": b'{"itinerarios": {"0": {}}}',
    "itinerario null": b'{"itinerarios": [null]}',
    "odos número": b'{"itinerarios": [{"odos": 1}]}',
    "legs de textos": b'{"itinerarios": [{"odos": [{"segmentos": [{"legs": ["BOG"]}]}]}]}',
    "la fecha es un número": _con_leg(fecha_salida=1669122600),
    "la fecha es null": _con_leg(fecha_salida=None),
    "NaN": _crudo("aquí", "NaN"),
    "Infinity": _crudo("aquí", "-Infinity"),
    "un número enorme": _crudo("aquí", "9" * 100_000),
    "un exponente enorme": _crudo("aquí", "1e999999"),
    "fecha sin zona": _con_leg(fecha_salida="2022-11-22T13:10:00"),
    "fecha sin hora": _con_leg(fecha_salida="2022-11-22"),
    "mes 13": _con_leg(fecha_salida="2022-13-22T13:10:00Z"),
    "29 de febrero de un año que no lo tiene": _con_leg(fecha_salida="2023-02-29T13:10:00Z"),
    "segundo intercalar": _con_leg(fecha_salida="2016-12-31T23:59:60Z"),
    "hora 24": _con_leg(fecha_salida="2022-11-22T24:00:00Z"),
    "año 0": _con_leg(fecha_salida="0000-01-01T00:00:00Z"),
    "año 10000": _con_leg(fecha_llegada="10000-01-01T00:00:00Z"),
    "antes del año 1 en UTC": _con_leg(fecha_salida="0001-01-01T00:00:00+14:00"),
    "después del año 9999 en UTC": _con_leg(fecha_llegada="9999-12-31T23:59:59-14:00"),
    "desfase de 24 horas": _con_leg(fecha_salida="2022-11-22T13:10:00+24:00"),
    "dígitos de otro alfabeto": _con_leg(fecha_salida="٢٠٢٢-11-22T13:10:00Z"),
    "código vacío": _con_leg(origen={"codigo": "", "nombre": "x"}),
    "código largo": _con_leg(origen={"codigo": "B" * 11, "nombre": "x"}),
    "código numérico": _con_leg(origen={"codigo": 7, "nombre": "x"}),
    "sin nombre": _con_leg(origen={"codigo": "BOG"}),
    "nombre larguísimo": _con_leg(origen={"codigo": "BOG", "nombre": "x" * 201}),
    "un NUL en el nombre": _con_leg(origen={"codigo": "BOG", "nombre": "a\0b"}),
    "un salto de línea en el código": _con_leg(origen={"codigo": "BOG\n", "nombre": "x"}),
    "un sustituto suelto": _con_leg(origen={"codigo": "BOG", "nombre": "\ud800"}),
    "un sustituto suelto en una clave que sobra": b'{"itinerarios": [], "\\udfff": 1}',
    "utf-8 roto": _con_leg(origen={"codigo": "BOG", "nombre": "aquí"}).replace(b"aqu\\u00ed", b"\xff\xfe\xc3\x28"),
    "utf-8 roto y nada más": b"\xc3\x28",
    "utf-16": json.dumps(cuerpo()).encode("utf-16"),
    "con BOM": b"\xef\xbb\xbf" + json.dumps(cuerpo()).encode(),
    "cien mil corchetes": b"[" * 100_000,
    "cien mil objetos": b'{"a":' * 100_000,
    "cien mil niveles donde iba el leg": b'{"itinerarios":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "cien mil niveles en algo que sobra": json.dumps(cuerpo()).encode()[:-1]
    + b',"x":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}",
    "id_cliente que no es uuid": json.dumps(cuerpo(id_cliente="yo")).encode(),
    "id_cliente número": json.dumps(cuerpo(id_cliente=7)).encode(),
    "pasajero desconocido": json.dumps(cuerpo(pasajeros=[{"tipo": "GATO"}])).encode(),
    "pasajeros texto": json.dumps(cuerpo(pasajeros="ADULTO")).encode(),
    "pago texto": json.dumps(cuerpo(pago="tok")).encode(),
    "hotel sin nombre": json.dumps(cuerpo(hotel={"hotel": " ", "fecha": "2022-11-22"})).encode(),
    "hotel sin fecha": json.dumps(cuerpo(hotel={"hotel": "Dann"})).encode(),
    "hotel un día que no existe": json.dumps(cuerpo(hotel={"hotel": "Dann", "fecha": "2022-02-30"})).encode(),
    "hotel a una hora": json.dumps(cuerpo(hotel={"hotel": "Dann", "fecha": "2022-11-22T10:00:00Z"})).encode(),
    "vehículo por ningún día": json.dumps(cuerpo(vehiculo={"dias": 0, "edad_conductor": 30})).encode(),
    "vehículo por medio día": json.dumps(cuerpo(vehiculo={"dias": 0.5, "edad_conductor": 30})).encode(),
    "vehículo sin edad": json.dumps(cuerpo(vehiculo={"dias": 1})).encode(),
    "medio de pago vacío": json.dumps(cuerpo(pago={"medio": ""})).encode(),
}


@pytest.mark.parametrize("ruta", RUTAS_POST)
@pytest.mark.parametrize("malo", MALOS)
def test_un_cuerpo_mal_formado_es_400_y_no_deja_nada(quieta: Quieta, ruta: str, malo: str) -> None:
    http, datos = quieta
    antes = guardado(datos)
    es_problema(
        http.post(ruta, content=MALOS[malo], headers={**JSON, "Idempotency-Key": "clave-de-un-cuerpo-malo"}), 400
    )
    assert guardado(datos) == antes


def test_el_400_dice_donde_esta_cada_error(quieta: Quieta) -> None:
    malo = cuerpo(itinerarios=[itinerario(leg(fecha_salida="ayer", origen={"codigo": 7, "nombre": "x"}))])
    problema = es_problema(quieta[0].post("/vuelos/reserva", json=malo), 400)
    donde = "#/itinerarios/0/odos/0/segmentos/0/legs/0"
    assert {error["pointer"] for error in problema["errors"]} == {f"{donde}/fecha_salida", f"{donde}/origen/codigo"}
    assert "una fecha se escribe como 2022-11-22T13:10:00Z" in problema["detail"]


@pytest.mark.parametrize("ruta", RUTAS_POST)
@pytest.mark.parametrize("tipo", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_otro_tipo_de_contenido_es_415(quieta: Quieta, ruta: str, tipo: str | None) -> None:
    http, datos = quieta
    antes = guardado(datos)
    cabeceras = {} if tipo is None else {"content-type": tipo}
    es_problema(http.post(ruta, content=json.dumps(cuerpo()).encode(), headers=cabeceras), 415)
    assert guardado(datos) == antes


def _trozos(total: int) -> Iterator[bytes]:
    yield json.dumps(cuerpo()).encode()
    for _ in range(total // 65536):
        yield b" " * 65536


@pytest.mark.parametrize("ruta", RUTAS_POST)
@pytest.mark.parametrize("contenido", [lambda: b" " * 5_000_000, lambda: _trozos(5_000_000)], ids=["largo", "troceado"])
def test_cinco_megabytes_son_413_con_y_sin_content_length(
    quieta: Quieta, ruta: str, contenido: Callable[[], Any]
) -> None:
    http, datos = quieta
    antes = guardado(datos)
    es_problema(http.post(ruta, content=contenido(), headers=JSON), 413)
    assert guardado(datos) == antes


def test_un_cuerpo_troceado_sin_longitud_se_lee(quieta: Quieta) -> None:
    assert quieta[0].post("/vuelos/reserva", content=_trozos(0), headers=JSON).status_code == 200


def test_quien_corta_a_media_peticion_no_deja_nada_ni_estorba(quieta: Quieta) -> None:
    http, datos = quieta
    antes = guardado(datos)
    with socket.create_connection((http.base_url.host, http.base_url.port or 80)) as a_medias:
        a_medias.sendall(
            b"POST /vuelos/reserva HTTP/1.1\r\nHost:x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
        )
    assert http.get("/health").status_code == 200
    assert guardado(datos) == antes


def test_con_una_clave_repetida_en_el_json_vale_la_ultima(quieta: Quieta) -> None:
    doble = b'{"itinerarios": 7, ' + json.dumps(cuerpo()).encode()[1:]
    assert quieta[0].post("/vuelos/reserva", content=doble, headers=JSON).status_code == 200


valores = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2022-11-22T13:10:00Z"),
    lambda v: (
        st.lists(v, max_size=3)
        | st.dictionaries(
            st.sampled_from(["itinerarios", "odos", "segmentos", "legs", "origen", "codigo", "x"]), v, max_size=3
        )
    ),
    max_leaves=12,
)


@st.composite
def _torcidas(draw: st.DrawFn) -> Any:
    """Una reserva buena con un valor cualquiera en un lugar cualquiera."""
    reserva: Any = cuerpo(
        id_cliente=None,
        pasajeros=[{"tipo": "ADULTO"}],
        pago={"medio": "tok"},
        hotel={"hotel": "Dann", "fecha": "2022-11-22"},
        vehiculo={"dias": 3, "edad_conductor": 30},
    )
    donde: Any = reserva
    while True:
        clave = draw(st.sampled_from(sorted(donde) if isinstance(donde, dict) else range(len(donde))))
        if not isinstance(donde[clave], dict | list) or draw(st.booleans()):
            donde[clave] = draw(valores)
            return reserva
        donde = donde[clave]


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(enviado=st.binary(max_size=60) | (_torcidas() | valores).map(lambda v: json.dumps(v).encode()))
def test_venga_lo_que_venga_es_una_reserva_o_un_problema_4xx(quieta: Quieta, enviado: bytes) -> None:
    http, datos = quieta
    antes = guardado(datos)
    respuesta = http.post("/vuelos/reserva", content=enviado, headers=JSON)
    if respuesta.status_code == 200:
        assert guardado(datos) == (antes[0] + 1, antes[1] + 1, antes[2])
    else:
        assert respuesta.status_code in (400, 422)
        es_problema(respuesta, respuesta.status_code)
        assert guardado(datos) == antes

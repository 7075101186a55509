"""Las direcciones de vuelos, palabra por palabra, contra el proceso de verdad."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integracion.aeroalpes.reservas import RUTAS_POST, cuerpo, es_problema, guardado, itinerario, leg
from tests.procesos import RAIZ, Aeroalpes, hasta

FORMATO = "%Y-%m-%dT%H:%M:%SZ"


def aparece(http: httpx.Client, ruta: str) -> dict[str, Any]:
    respuesta = hasta(lambda: (r := http.get(ruta)).status_code == 200 and r, f"apareciera {ruta}")
    return dict(respuesta.json())


@pytest.mark.capacidad("A01")
def test_health_dice_up_y_spec_es_openapi_3_1(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"status": "up"}
    assert http.get("/livez").json() == {"status": "up"}
    assert http.get("/spec").json()["openapi"].startswith("3.1")


AVANZAN = ("estado", "fecha_actualizacion")  # lo que la saga cambia mientras tanto


@pytest.mark.capacidad("A02")
def test_una_reserva_se_devuelve_hecha_y_se_puede_leer_enseguida(http: httpx.Client) -> None:
    pedida = cuerpo(id_cliente=str(uuid.uuid4()))
    respuesta = http.post("/vuelos/reserva", json=pedida)
    assert respuesta.status_code == 200
    reserva = respuesta.json()
    assert reserva["itinerarios"] == pedida["itinerarios"]
    assert reserva["id_cliente"] == pedida["id_cliente"]
    assert reserva["estado"] == "PENDIENTE"
    for fecha in ("fecha_creacion", "fecha_actualizacion"):
        assert datetime.strptime(reserva[fecha], FORMATO).strftime(FORMATO) == reserva[fecha]  # noqa: DTZ007
    assert uuid.UUID(reserva["id"])
    for ruta in ("/vuelos/reserva", "/vuelos/reserva-query"):
        for leida in (http.get(f"{ruta}/{reserva['id']}").json(), http.get(ruta).json()["reservas"][0]):
            assert leida | {campo: reserva[campo] for campo in AVANZAN} == reserva


@pytest.mark.capacidad("A03")
def test_un_comando_se_acepta_con_id_y_location_y_la_reserva_aparece_en_las_consultas(http: httpx.Client) -> None:
    pedida = cuerpo(id_cliente=str(uuid.uuid4()), pago={"medio": "tok_bueno"})
    respuesta = http.post("/vuelos/reserva-comando", json=pedida)
    assert respuesta.status_code == 202
    aceptada = respuesta.json()
    assert aceptada.keys() == {"id"}
    assert respuesta.headers["location"] == f"/vuelos/reserva-query/{aceptada['id']}"
    reserva = aparece(http, respuesta.headers["location"])
    assert reserva["id"] == aceptada["id"]
    assert reserva["itinerarios"] == pedida["itinerarios"]
    assert reserva["id_cliente"] == pedida["id_cliente"]
    leida = http.get(f"/vuelos/reserva/{aceptada['id']}").json()
    assert leida | {campo: reserva[campo] for campo in AVANZAN} == reserva


@pytest.mark.parametrize("ruta", RUTAS_POST)
def test_lo_que_se_reserva_vuelve_como_se_mando(http: httpx.Client, ruta: str) -> None:
    legs = [
        leg(
            fecha_salida=f"1999-01-0{n}T00:00:00Z",
            fecha_llegada=f"1999-01-0{n}T00:00:00.{n}25Z",
            origen={"codigo": f"A{n}", "nombre": "مطار 東京 «ñ» 🛫 \\ \" ' <b>"},
            destino={"codigo": f"B{n}", "nombre": ""},
        )
        for n in range(1, 7)
    ]
    estructura = [
        {"odos": [{"segmentos": [{"legs": legs[:2]}, {"legs": [legs[2]]}]}, {"segmentos": [{"legs": [legs[3]]}]}]},
        {"odos": [{"segmentos": []}, {"segmentos": [{"legs": []}, {"legs": legs[4:]}]}]},
    ]
    pasajeros = [{"tipo": "MENOR"}, {"tipo": "ADULTO"}, {"tipo": "INFANTE"}]
    ademas = {"hotel": {"hotel": "El «Ñandú»", "fecha": "1999-01-07"}, "vehiculo": {"dias": 3.0, "edad_conductor": 40}}
    creada = http.post(ruta, json={"itinerarios": estructura, "pasajeros": pasajeros, **ademas}).json()
    reserva = aparece(http, f"/vuelos/reserva-query/{creada['id']}")
    assert reserva["itinerarios"] == estructura
    assert reserva["pasajeros"] == pasajeros
    assert {campo: reserva[campo] for campo in ademas} == ademas


def test_una_fecha_con_desfase_vuelve_en_utc_y_las_del_pasado_y_los_extremos_son_legales(http: httpx.Client) -> None:
    legs = [
        leg(fecha_salida="0001-01-01T05:00:00+05:00", fecha_llegada="9999-12-31T18:59:59-05:00"),
        leg(fecha_salida="2022-11-22T13:10:00.000Z", fecha_llegada="2022-11-22T08:10:01-05:00"),
    ]
    vuelta = http.post("/vuelos/reserva", json={"itinerarios": [itinerario(*legs)]}).json()
    fechas = [
        (leg["fecha_salida"], leg["fecha_llegada"])
        for leg in vuelta["itinerarios"][0]["odos"][0]["segmentos"][0]["legs"]
    ]
    assert fechas == [
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("2022-11-22T13:10:00Z", "2022-11-22T13:10:01Z"),
    ]


def test_lo_que_el_contrato_no_nombra_se_ignora(http: httpx.Client) -> None:
    respuesta = http.post("/vuelos/reserva", json=cuerpo(id="el mío", estado="APROBADA", algo={"nuevo": [1]}))
    assert respuesta.status_code == 200
    assert respuesta.json()["estado"] == "PENDIENTE"
    assert respuesta.json()["id"] != "el mío"


@pytest.mark.parametrize("ruta", RUTAS_POST)
def test_dos_reservas_iguales_son_dos(http: httpx.Client, ruta: str) -> None:
    assert http.post(ruta, json=cuerpo()).json()["id"] != http.post(ruta, json=cuerpo()).json()["id"]


REGLAS = {
    "AlMenosUnItinerario": {"itinerarios": []},
    "AlMenosUnLeg": {"itinerarios": [itinerario(leg()), itinerario()]},
    "OrigenDistintoDelDestino": cuerpo(itinerarios=[itinerario(leg(destino={"codigo": "BOG", "nombre": "otro"}))]),
    "LlegadaPosteriorALaSalida": cuerpo(itinerarios=[itinerario(leg(fecha_llegada="2022-11-22T13:10:00Z"))]),
    "AlMenosUnAdulto": cuerpo(pasajeros=[{"tipo": "MENOR"}]),
    "CodigoPresente": cuerpo(itinerarios=[itinerario(leg(destino={"codigo": "  ", "nombre": "sin código"}))]),
}


@pytest.mark.parametrize("ruta", RUTAS_POST)
@pytest.mark.parametrize("regla", REGLAS)
def test_una_regla_incumplida_es_422_la_nombra_y_no_deja_nada(
    quieta: tuple[httpx.Client, Path], ruta: str, regla: str
) -> None:
    http, datos = quieta
    antes = guardado(datos)
    clave = {"Idempotency-Key": uuid.uuid4().hex}
    assert es_problema(http.post(ruta, json=REGLAS[regla], headers=clave), 422)["regla"] == regla
    assert guardado(datos) == antes


@pytest.mark.parametrize("ruta", ["/vuelos/reserva", "/vuelos/reserva-query"])
def test_sin_esa_reserva_hay_404(http: httpx.Client, ruta: str) -> None:
    es_problema(http.get(f"{ruta}/{uuid.uuid4()}"), 404)
    es_problema(http.get(f"{ruta}/no-es-un-uuid"), 404)
    es_problema(http.get(f"{ruta}/%00"), 404)


def test_una_direccion_que_no_existe_y_un_metodo_que_no_va_son_problemas(http: httpx.Client) -> None:
    es_problema(http.get("/nada"), 404)
    es_problema(http.get("/static/../../etc/passwd"), 404)
    assert "POST" in http.delete("/vuelos/reserva").headers["allow"]
    es_problema(http.delete("/vuelos/reserva"), 405)


@pytest.mark.parametrize("ruta", ["/vuelos/reserva", "/vuelos/reserva-query"])
@pytest.mark.parametrize(
    "consulta",
    ["limite=0", "limite=101", "limite=diez", "limite=" + "9" * 5000, "cursor=x", "cursor=%ff", "cursor=MS9h"],
)
def test_una_pagina_mal_pedida_es_400(http: httpx.Client, ruta: str, consulta: str) -> None:
    es_problema(http.get(f"{ruta}?{consulta}"), 400)


def test_las_paginas_recorren_todas_las_reservas_una_vez_de_la_mas_nueva_a_la_mas_vieja(suite: Aeroalpes) -> None:
    http = suite.api().http
    hechas = [http.post("/vuelos/reserva", json=cuerpo()).json()["id"] for _ in range(7)]
    vistas: list[str] = []
    consulta: dict[str, Any] = {"limite": 3}
    for tamano in (3, 3, 1):
        pagina = http.get("/vuelos/reserva", params=consulta).json()
        assert len(pagina["reservas"]) == tamano
        vistas += [reserva["id"] for reserva in pagina["reservas"]]
        consulta["cursor"] = pagina["siguiente"]
        # Lo que llega entre página y página no desplaza a lo que falta por ver.
        http.post("/vuelos/reserva", json=cuerpo())
    assert pagina["siguiente"] is None
    assert vistas == sorted(vistas, key=hechas.index, reverse=True)
    assert set(vistas) == set(hechas)


def test_el_cuerpo_del_tutorial_se_acepta_tal_cual(http: httpx.Client) -> None:
    tutorial = (RAIZ / "src/sidecar/mensajes/crear_reserva.json").read_bytes()
    respuesta = http.post("/vuelos/reserva", content=tutorial, headers={"content-type": "application/json"})
    assert respuesta.status_code == 200

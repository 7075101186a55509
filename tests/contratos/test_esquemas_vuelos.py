"""El contrato publicado de vuelos: los `.avsc` son los que se derivan, y lo ya escrito se sigue leyendo."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos, eventos
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos as eventos_v2
from seedwork.infraestructura.esquemas import esquema_de, ruta_publicada, texto_publicable
from seedwork.infraestructura.publicados import registros_de, verificar

REGISTROS = [eventos.EventosReserva, eventos_v2.EventosReserva, comandos.ComandosReserva]

# Las huellas y los bytes de la versión 1 tal como salió. No se regeneran: si una prueba de éstas falla, lo que hay
# que cambiar es el esquema, que dejó de leer lo que otros ya escribieron.
HUELLAS_V1 = {
    eventos.EventosReserva: "551971c88b5f5e7690a62d487a2cc99e6e9ce8433e281f72303574e657ad6e05",
    comandos.ComandosReserva: "174a5ef02bc8a7d50d73a038dd909998bd605b7445773be759c79c7f097f04f3",
}
RESERVA, CLIENTE = "018f0000-0000-7000-8000-00000000000a", "018f0000-0000-7000-8000-00000000000c"
SOBRE: dict[str, Any] = {
    "id": "018f0000-0000-7000-8000-000000000001",
    "time": 1669122600123,
    "ingestion": 1669122600456,
    "service_name": "aeroalpes",
}
CABEZA_V1 = "4830313866303030302d303030302d373030302d383030302d303030303030303030303031f6b2adf7936190b8adf7936106312e30"
AVRO_Y_SERVICIO_V1 = "206170706c69636174696f6e2f6176726f126165726f616c706573"
RESERVA_V1 = "4830313866303030302d303030302d373030302d383030302d303030303030303030303061"
CLIENTE_V1 = "4830313866303030302d303030302d373030302d383030302d303030303030303030303063"

V1: dict[str, tuple[str, Any]] = {
    "ReservaCreada": (
        f"{CABEZA_V1}1a52657365727661437265616461{AVRO_Y_SERVICIO_V1}02{RESERVA_V1}02{CLIENTE_V1}"
        "1250454e4449454e5445f6b2adf79361000000",
        eventos.EventosReserva(
            **SOBRE,
            type="ReservaCreada",
            reserva_creada=eventos.ReservaCreada(
                id_reserva=RESERVA, id_cliente=CLIENTE, estado="PENDIENTE", fecha_creacion=1669122600123
            ),
        ),
    ),
    "ReservaPagada": (
        f"{CABEZA_V1}1a52657365727661506167616461{AVRO_Y_SERVICIO_V1}0002{RESERVA_V1}000c504147414441f6b2adf793610000",
        eventos.EventosReserva(
            **SOBRE,
            type="ReservaPagada",
            reserva_pagada=eventos.ReservaPagada(
                id_reserva=RESERVA, estado="PAGADA", fecha_actualizacion=1669122600123
            ),
        ),
    ),
    "ReservaAprobada": (
        f"{CABEZA_V1}1e526573657276614170726f62616461{AVRO_Y_SERVICIO_V1}000002{RESERVA_V1}02{CLIENTE_V1}"
        "104150524f424144410100",
        eventos.EventosReserva(
            **SOBRE,
            type="ReservaAprobada",
            reserva_aprobada=eventos.ReservaAprobada(
                id_reserva=RESERVA, id_cliente=CLIENTE, estado="APROBADA", fecha_actualizacion=-1
            ),
        ),
    ),
    "ReservaCancelada": (
        f"{CABEZA_V1}205265736572766143616e63656c616461{AVRO_Y_SERVICIO_V1}00000002{RESERVA_V1}001243414e43454c414441"
        "f6b2adf793613e73696e206375706f20656e20656c207675656c6f206465206d61c3b1616e61",
        eventos.EventosReserva(
            **SOBRE,
            type="ReservaCancelada",
            reserva_cancelada=eventos.ReservaCancelada(
                id_reserva=RESERVA,
                estado="CANCELADA",
                fecha_actualizacion=1669122600123,
                motivo="sin cupo en el vuelo de mañana",
            ),
        ),
    ),
    "CrearReserva": (
        f"{CABEZA_V1}18437265617252657365727661{AVRO_Y_SERVICIO_V1}02{RESERVA_V1}02{CLIENTE_V1}"
        "02020402ffdfe6a2e2a01cfeeffea1fa9d7306424f472645"
        "6c20446f7261646f202d20426f676f74c3a1064a464b000000000000020c4144554c544f000206746f6b000000",
        comandos.ComandosReserva(
            **SOBRE,
            type="CrearReserva",
            crear_reserva=comandos.CrearReserva(
                id_reserva=RESERVA,
                id_cliente=CLIENTE,
                itinerarios=[
                    comandos.Itinerario(
                        odos=[
                            comandos.Odo(
                                segmentos=[
                                    comandos.Segmento(
                                        legs=[
                                            comandos.Leg(
                                                fecha_salida=-62135596800000,
                                                fecha_llegada=253402300799999,
                                                origen=comandos.Locacion(codigo="BOG", nombre="El Dorado - Bogotá"),
                                                destino=comandos.Locacion(codigo="JFK", nombre=""),
                                            )
                                        ]
                                    ),
                                    comandos.Segmento(legs=[]),
                                ]
                            )
                        ]
                    )
                ],
                pasajeros=["ADULTO"],
                medio_pago="tok",
            ),
        ),
    ),
    "RegistrarPago": (
        f"{CABEZA_V1}1a5265676973747261725061676f{AVRO_Y_SERVICIO_V1}0002{RESERVA_V1}0000",
        comandos.ComandosReserva(
            **SOBRE, type="RegistrarPago", registrar_pago=comandos.RegistrarPago(id_reserva=RESERVA)
        ),
    ),
    "AprobarReserva": (
        f"{CABEZA_V1}1c4170726f62617252657365727661{AVRO_Y_SERVICIO_V1}000002{RESERVA_V1}00",
        comandos.ComandosReserva(
            **SOBRE, type="AprobarReserva", aprobar_reserva=comandos.AprobarReserva(id_reserva=RESERVA)
        ),
    ),
    "CancelarReserva": (
        f"{CABEZA_V1}1e43616e63656c617252657365727661{AVRO_Y_SERVICIO_V1}00000002{RESERVA_V1}0a7961206e6f",
        comandos.ComandosReserva(
            **SOBRE,
            type="CancelarReserva",
            cancelar_reserva=comandos.CancelarReserva(id_reserva=RESERVA, motivo="ya no"),
        ),
    ),
}


@pytest.mark.capacidad("A07")
def test_todos_los_esquemas_de_la_suite_pasan_la_puerta() -> None:
    assert verificar(registros_de(["aeroalpes"])) == []


@pytest.mark.parametrize("tipo", REGISTROS)
def test_el_avsc_publicado_es_el_que_se_deriva(tipo: type) -> None:
    assert ruta_publicada(tipo).read_text(encoding="utf-8") == texto_publicable(tipo)


# De lo que salió después: una creación con todo lo que cada revisión sabe decir, y otra sin nada opcional.
HUELLA_V1_ACTUAL = "f17309274ce2ec39e64dadcc76c17f80e4698e34f0c502c918fbb354c9c3b803"
HUELLA_V2 = "ffceaaf34ebfa20cb81dff8104a63bb71b9686d30ebe582dd469f8cb08ec77ce"
CREADA = f"{CABEZA_V1}1a52657365727661437265616461{AVRO_Y_SERVICIO_V1}02{RESERVA_V1}"
PENDIENTE = "1250454e4449454e5445f6b2adf79361"
TRAMO_Y_MONTO = "020206424f47064a464b80b1adf7936180a59cfe9361000280f7020206746f6b"
EUROS_HOTEL_Y_VEHICULO = "06455552021844616e6e204361726c746f6e14323032322d31312d323202063c"
MINIMA: dict[str, Any] = {
    "id_reserva": RESERVA, "id_cliente": None, "estado": "PENDIENTE", "fecha_creacion": 1669122600123,
    "tramos": None, "monto": None, "medio_pago": None, "moneda": "USD", "hotel": None, "vehiculo": None,
}  # fmt: skip
CON_TODO_V1: dict[str, Any] = {
    **MINIMA,
    "id_cliente": CLIENTE,
    "tramos": [{"origen": "BOG", "destino": "JFK", "fecha_salida": 1669122600000, "fecha_llegada": 1669129800000}],
    "monto": 24000,
    "medio_pago": "tok",
}
CON_TODO_V2: dict[str, Any] = {
    **CON_TODO_V1,
    "moneda": "EUR",
    "hotel": {"hotel": "Dann Carlton", "fecha": "2022-11-22"},
    "vehiculo": {"dias": 3, "edad_conductor": 30},
}
CREADAS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "v1-primera": (
        HUELLAS_V1[eventos.EventosReserva],
        V1["ReservaCreada"][0],
        {**MINIMA, "id_cliente": CLIENTE},
    ),
    "v1": (HUELLA_V1_ACTUAL, f"{CREADA}02{CLIENTE_V1}{PENDIENTE}{TRAMO_Y_MONTO}00000000", CON_TODO_V1),
    "v1-minima": (HUELLA_V1_ACTUAL, f"{CREADA}00{PENDIENTE}00000000000000", MINIMA),
    "v2": (
        HUELLA_V2,
        f"{CREADA}02{CLIENTE_V1}{PENDIENTE}{TRAMO_Y_MONTO}{EUROS_HOTEL_Y_VEHICULO}00000000",
        CON_TODO_V2,
    ),
    "v2-minima": (HUELLA_V2, f"{CREADA}00{PENDIENTE}00000006555344000000000000", MINIMA),
}


@pytest.mark.capacidad("A07")
@pytest.mark.parametrize("escritor", CREADAS)
@pytest.mark.parametrize("lector", [eventos, eventos_v2], ids=["lee-v1", "lee-v2"])
def test_cada_version_lee_lo_que_guardo_cualquiera_de_las_dos(lector: Any, escritor: str) -> None:
    huella, escrito, dicho = CREADAS[escritor]
    leido = esquema_de(lector.EventosReserva).decodificar(bytes.fromhex(escrito), huella)
    assert type(leido) is lector.EventosReserva
    creada = asdict(leido.reserva_creada)
    assert creada == {campo: dicho[campo] for campo in creada}
    assert ("hotel" in creada) is (lector is eventos_v2)


@pytest.mark.parametrize("tipo", HUELLAS_V1)
def test_el_esquema_de_la_version_1_sigue_entre_los_que_se_leen(tipo: type) -> None:
    assert HUELLAS_V1[tipo] in esquema_de(tipo).escritores


@pytest.mark.parametrize("variante", V1)
def test_lo_escrito_con_la_version_1_se_lee_igual(variante: str) -> None:
    escrito, registro = V1[variante]
    tipo = type(registro)
    assert esquema_de(tipo).decodificar(bytes.fromhex(escrito), HUELLAS_V1[tipo]) == registro


@pytest.mark.parametrize("tipo", REGISTROS)
def test_cada_registro_lleva_el_sobre_y_sus_variantes_son_opcionales(tipo: type) -> None:
    campos = {campo["name"]: campo for campo in esquema_de(tipo).avro["fields"]}
    sobre = ["id", "time", "ingestion", "specversion", "type", "datacontenttype", "service_name"]
    assert list(campos)[: len(sobre)] == sobre
    for nombre, campo in campos.items():
        if nombre not in sobre:
            assert campo["type"][0] == "null"
            assert campo["default"] is None


def test_la_creacion_lleva_lo_que_el_contrato_promete() -> None:
    variante = next(c for c in esquema_de(eventos.EventosReserva).avro["fields"] if c["name"] == "reserva_creada")
    campos = {campo["name"]: campo["type"] for campo in variante["type"][1]["fields"]}
    prometido = {
        "id_reserva": "string", "id_cliente": ["null", "string"], "estado": "string", "fecha_creacion": "long",
    }  # fmt: skip
    assert campos.items() >= prometido.items()
    assert [campos[nombre][0] for nombre in campos.keys() - prometido.keys()] == ["null"] * 3

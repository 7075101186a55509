"""Lo que una reserva exige para existir."""

from __future__ import annotations

import pytest
from tests.unit.vuelos.fabrica import BOG, CLIENTE, HORA, HOTEL, ID, JFK, SALIDA, VEHICULO, itinerario, leg, reserva

from aeroalpes.modulos.vuelos.dominio.eventos import ReservaCreada
from aeroalpes.modulos.vuelos.dominio.objetos_valor import (
    Aeropuerto,
    EstadoReserva,
    Hotel,
    Itinerario,
    Odo,
    Segmento,
    TipoPasajero,
    Vehiculo,
)
from aeroalpes.modulos.vuelos.dominio.tarifas import TARIFA_POR_LEG
from seedwork.dominio.excepciones import ReglaIncumplida


def _incumple(regla: str) -> pytest.RaisesExc[ReglaIncumplida]:
    return pytest.raises(ReglaIncumplida, check=lambda error: error.regla == regla)


def test_una_reserva_sin_itinerarios_se_rechaza() -> None:
    with _incumple("AlMenosUnItinerario"):
        reserva(itinerarios=())


@pytest.mark.parametrize("odos", [(), (Odo(()),), (Odo((Segmento(()), Segmento(()))), Odo(()))])
def test_un_itinerario_sin_legs_se_rechaza(odos: tuple[Odo, ...]) -> None:
    with _incumple("AlMenosUnLeg"):
        Itinerario(odos)


@pytest.mark.parametrize("codigo", ["BOG", "bog", " Bog "])
def test_un_leg_no_vuelve_al_aeropuerto_de_donde_sale_se_llame_como_se_llame(codigo: str) -> None:
    with _incumple("OrigenDistintoDelDestino"):
        leg(destino=Aeropuerto(codigo, "otro nombre"))


def test_dos_aeropuertos_de_igual_nombre_y_distinto_codigo_son_distintos() -> None:
    assert leg(destino=Aeropuerto("MDE", BOG.nombre)).destino.codigo == "MDE"


@pytest.mark.parametrize("codigo", ["", "   "])
def test_un_aeropuerto_sin_codigo_se_rechaza(codigo: str) -> None:
    with _incumple("CodigoPresente"):
        Aeropuerto(codigo, "El Dorado")


@pytest.mark.parametrize("llegada", [SALIDA, SALIDA - HORA])
def test_un_leg_que_no_llega_despues_de_salir_se_rechaza(llegada: object) -> None:
    with _incumple("LlegadaPosteriorALaSalida"):
        leg(fecha_llegada=llegada)


def test_un_viaje_en_el_pasado_es_legal() -> None:
    antiguo = SALIDA.replace(year=1950)
    assert reserva(itinerarios=(itinerario(leg(fecha_salida=antiguo, fecha_llegada=antiguo + HORA)),))


@pytest.mark.parametrize("pasajeros", [[TipoPasajero.MENOR], [TipoPasajero.INFANTE, TipoPasajero.MENOR]])
def test_si_se_dice_quien_viaja_hay_al_menos_un_adulto(pasajeros: list[TipoPasajero]) -> None:
    with _incumple("AlMenosUnAdulto"):
        reserva(pasajeros=tuple(pasajeros))
    assert reserva(pasajeros=(*pasajeros, TipoPasajero.ADULTO)).estado == "PENDIENTE"


def test_si_no_se_dice_quien_viaja_no_se_exige_un_adulto() -> None:
    assert reserva(pasajeros=()).estado == "PENDIENTE"


def test_una_reserva_nace_pendiente_y_registra_que_fue_creada() -> None:
    nueva = reserva(id_cliente=CLIENTE, medio_pago="tok", hotel=HOTEL, vehiculo=VEHICULO)
    assert (nueva.estado, nueva.motivo, nueva.version) == (EstadoReserva.PENDIENTE, None, 0)
    assert nueva.fecha_creacion == nueva.fecha_actualizacion == SALIDA
    (creada,) = nueva.extraer_eventos()
    assert creada == ReservaCreada(
        id=creada.id,
        fecha=SALIDA,
        id_reserva=ID,
        id_cliente=CLIENTE,
        estado="PENDIENTE",
        fecha_creacion=SALIDA,
        legs=(leg(),),
        monto=TARIFA_POR_LEG,
        medio_pago="tok",
        hotel=HOTEL,
        vehiculo=VEHICULO,
    )


def test_lo_que_se_quiere_ademas_tiene_sentido_al_nacer() -> None:
    with _incumple("HotelConNombre"):
        Hotel(" ", SALIDA.date())
    with _incumple("AlMenosUnDia"):
        Vehiculo(0, 30)


@pytest.mark.parametrize(
    ("legs", "pasajeros", "tarifas"),
    [(1, [], 1), (3, [], 3), (2, ["ADULTO", "MENOR"], 4), (2, ["ADULTO", "INFANTE"], 2)],
)
def test_cada_pasajero_paga_cada_leg_menos_el_infante_y_si_no_se_dice_viaja_uno(
    legs: int, pasajeros: list[str], tarifas: int
) -> None:
    tipos = tuple(TipoPasajero(tipo) for tipo in pasajeros)
    assert reserva(itinerarios=(itinerario(*[leg()] * legs),), pasajeros=tipos).monto == tarifas * TARIFA_POR_LEG


def test_los_objetos_valor_son_iguales_si_lo_es_su_contenido() -> None:
    assert itinerario(leg()) == itinerario(leg())
    assert leg() != leg(destino=Aeropuerto("MIA", JFK.nombre))

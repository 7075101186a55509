"""Lo que se reserva vuelve como se mandó, por cada camino: la fila, el comando por el broker y los eventos."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.vuelos.fabrica import (
    BOG,
    CLIENTE,
    HORA,
    HOTEL,
    ID,
    JFK,
    SALIDA,
    VEHICULO,
    en,
    itinerario,
    itinerarios,
    leg,
    reserva,
)

from aeroalpes.modulos.pagos.infraestructura.schema.v1 import eventos as eventos_pago
from aeroalpes.modulos.vuelos.aplicacion import dto
from aeroalpes.modulos.vuelos.aplicacion.comandos.aprobar_reserva import AprobarReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.cancelar_reserva import CancelarReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.registrar_pago import RegistrarPago
from aeroalpes.modulos.vuelos.aplicacion.mapeadores import a_itinerarios
from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva, Itinerario, TipoPasajero
from aeroalpes.modulos.vuelos.infraestructura.consumidores import al_confirmarse_pago, al_recibir_comando
from aeroalpes.modulos.vuelos.infraestructura.despachadores import DespachadorComandosReserva, publicar
from aeroalpes.modulos.vuelos.infraestructura.fechas import a_ms
from aeroalpes.modulos.vuelos.infraestructura.mapeadores import MapeadorReserva, a_dto, de_json
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos as eventos_v1
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import codificar, decodificar
from seedwork.infraestructura.outbox import Servicio
from seedwork.infraestructura.politica import ErrorPermanente
from seedwork.infraestructura.schema.v1.mensajes import sobre

AEROALPES = Servicio("aeroalpes")
EXTRAS: dict[str, Any] = {"hotel": HOTEL, "vehiculo": VEHICULO}


class Salida:
    """Un despachador que guarda lo que se le da, ya codificado."""

    def __init__(self) -> None:
        self.mensajes: list[Mensaje] = []

    def publicar(self, mensaje: Any, **opciones: Any) -> None:
        self.mensajes.append(codificar(mensaje, servicio=AEROALPES, **opciones))


def _a_dto(itinerarios: tuple[Itinerario, ...]) -> tuple[dto.ItinerarioDTO, ...]:
    return de_json(MapeadorReserva().a_fila(reserva(itinerarios=itinerarios))["itinerarios"])


def _recibir(**variante: Any) -> Any:
    return al_recibir_comando(comandos.ComandosReserva(**sobre("X", "otro"), **variante))


@settings(max_examples=60, deadline=None)
@given(
    itinerarios=itinerarios,
    pasajeros=st.lists(st.sampled_from(TipoPasajero), max_size=4).map(lambda p: (*p, TipoPasajero.ADULTO)),
    medio=st.none() | st.text(max_size=9),
    ademas=st.booleans(),
)
def test_una_reserva_se_guarda_y_se_lee_igual(
    itinerarios: Any, pasajeros: Any, medio: str | None, ademas: bool
) -> None:
    extras = EXTRAS if ademas else {}
    original = reserva(itinerarios=itinerarios, pasajeros=pasajeros, medio_pago=medio, id_cliente=CLIENTE, **extras)
    fila: Any = SimpleNamespace(id=original.id, **MapeadorReserva().a_fila(original))
    leida = MapeadorReserva().a_agregado(fila)
    assert {**vars(leida), "_eventos": 0} == {**vars(original), "_eventos": 0}
    assert not leida.tiene_eventos
    assert a_itinerarios(a_dto(fila).itinerarios) == itinerarios


@settings(max_examples=60, deadline=None)
@given(itinerarios=itinerarios, medio=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9))
def test_un_comando_llega_por_el_broker_como_salio(itinerarios: Any, medio: str | None) -> None:
    pedido = CrearReserva(
        id=ID,
        id_cliente=CLIENTE,
        itinerarios=_a_dto(itinerarios),
        pasajeros=("ADULTO", "MENOR"),
        medio_pago=medio,
        hotel=dto.HotelDTO(HOTEL.hotel, HOTEL.fecha) if medio else None,
        vehiculo=dto.VehiculoDTO(VEHICULO.dias, VEHICULO.edad_conductor) if medio else None,
    )
    salida = Salida()
    DespachadorComandosReserva(salida, AEROALPES).pedir(pedido)
    (mensaje,) = salida.mensajes
    assert (mensaje.topico, mensaje.clave) == ("comandos-reserva", str(ID))
    assert al_recibir_comando(decodificar(mensaje, comandos.ComandosReserva)) == pedido


@pytest.mark.parametrize("estado", EstadoReserva)
def test_un_evento_de_dominio_sale_con_su_id_su_fecha_y_la_clave_de_su_reserva(estado: EstadoReserva) -> None:
    cambios = {
        EstadoReserva.PENDIENTE: lambda: reserva(id_cliente=CLIENTE),
        EstadoReserva.PAGADA: lambda: _tras(en(EstadoReserva.PENDIENTE), "pagar", SALIDA),
        EstadoReserva.APROBADA: lambda: _tras(en(EstadoReserva.PAGADA), "aprobar", SALIDA),
        EstadoReserva.CANCELADA: lambda: _tras(en(EstadoReserva.PAGADA), "cancelar", "sin cupo", SALIDA),
    }
    (evento,) = cambios[estado]().extraer_eventos()
    salida = Salida()
    publicar(evento, salida, AEROALPES)
    (mensaje,) = salida.mensajes
    assert (mensaje.topico, mensaje.clave) == ("eventos-reserva", str(ID))
    assert mensaje.cabeceras["id"] == str(evento.id)
    assert mensaje.cabeceras["type"] == type(evento).__name__
    registro = decodificar(mensaje, eventos.EventosReserva)
    assert (registro.id, registro.type, registro.time) == (str(evento.id), type(evento).__name__, a_ms(SALIDA))
    variantes = [v for n, v in vars(registro).items() if n.startswith("reserva_") and v is not None]
    assert [(v.id_reserva, v.id_cliente, v.estado) for v in variantes] == [(str(ID), str(CLIENTE), estado)]


def _tras(reserva: Any, verbo: str, *argumentos: Any) -> Any:
    getattr(reserva, verbo)(*argumentos)
    return reserva


def test_cada_variante_recibida_es_un_comando_del_modulo() -> None:
    id = str(ID)
    assert _recibir(registrar_pago=comandos.RegistrarPago(id_reserva=id)) == RegistrarPago(id_reserva=ID)
    assert _recibir(aprobar_reserva=comandos.AprobarReserva(id_reserva=id)) == AprobarReserva(id_reserva=ID)
    cancelar = comandos.CancelarReserva(id_reserva=id, motivo="ya no")
    assert _recibir(cancelar_reserva=cancelar) == CancelarReserva(id_reserva=ID, motivo="ya no")


@pytest.mark.parametrize("cuantas", [0, 2])
def test_un_comando_sin_variante_o_con_dos_no_se_adivina(cuantas: int) -> None:
    variantes = {
        "registrar_pago": comandos.RegistrarPago(id_reserva=str(ID)),
        "aprobar_reserva": comandos.AprobarReserva(id_reserva=str(ID)),
    }
    with pytest.raises(ErrorPermanente, match=f"trae {cuantas} variantes"):
        _recibir(**dict(list(variantes.items())[:cuantas]))


def test_la_creacion_cuenta_los_vuelos_el_monto_el_medio_y_lo_demas_a_quien_lo_necesite() -> None:
    ida, vuelta = leg(), leg(origen=JFK, destino=BOG, fecha_salida=SALIDA + HORA, fecha_llegada=SALIDA + 3 * HORA)
    (evento,) = reserva(itinerarios=(itinerario(ida), itinerario(vuelta)), medio_pago="tok", **EXTRAS).extraer_eventos()
    salida = Salida()
    publicar(evento, salida, AEROALPES)
    creada = decodificar(salida.mensajes[0], eventos.EventosReserva).reserva_creada
    assert [(tramo.origen, tramo.destino) for tramo in creada.tramos] == [("BOG", "JFK"), ("JFK", "BOG")]
    assert [tramo.fecha_llegada for tramo in creada.tramos] == [a_ms(SALIDA + HORA), a_ms(SALIDA + 3 * HORA)]
    assert (creada.monto, creada.moneda, creada.medio_pago) == (evento.monto, "USD", "tok")
    assert creada.hotel == eventos.Hotel(hotel="Dann Carlton", fecha="2022-11-22")
    assert creada.vehiculo == eventos.Vehiculo(dias=3, edad_conductor=30)


def test_se_publica_la_version_2_y_quien_lee_la_1_no_lo_nota() -> None:
    (evento,) = reserva(medio_pago="tok").extraer_eventos()
    salida = Salida()
    publicar(evento, salida, AEROALPES)
    (mensaje,) = salida.mensajes
    assert mensaje.cabeceras["dataschema"].startswith("urn:avro:aeroalpes.vuelos.v2.EventosReserva:")
    creada = decodificar(mensaje, eventos_v1.EventosReserva).reserva_creada
    assert type(creada) is eventos_v1.ReservaCreada
    assert (creada.id_reserva, creada.monto, creada.medio_pago) == (str(ID), evento.monto, "tok")


def test_de_los_eventos_de_pago_solo_importa_que_se_haya_cobrado() -> None:
    pagada = eventos_pago.ReservaPagada(id_reserva=str(ID), monto=1, fecha_actualizacion=0)
    rechazado = eventos_pago.PagoRechazado(id_reserva=str(ID), motivo="no", fecha_actualizacion=0)
    assert al_confirmarse_pago(
        eventos_pago.EventosPago(**sobre("ReservaPagada", "pagos"), reserva_pagada=pagada)
    ) == RegistrarPago(id_reserva=ID)
    assert al_confirmarse_pago(eventos_pago.EventosPago(**sobre("X", "pagos"), pago_rechazado=rechazado)) is None


def test_quien_pide_una_reserva_decide_su_id_o_se_le_da_uno_nuevo() -> None:
    una, otra = (CrearReserva(itinerarios=_a_dto(((reserva().itinerarios[0]),))) for _ in range(2))
    assert una.id != otra.id
    assert isinstance(una.id, UUID)
    assert leg().origen.codigo == una.itinerarios[0].odos[0].segmentos[0].legs[0].origen.codigo

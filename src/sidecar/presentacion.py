"""Una reserva en texto para personas."""

from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from pb2py.vuelos_pb2 import Leg, Locacion, Reserva


def en_texto(reserva: Reserva) -> str:
    """Una línea por dato y por trayecto, con las fechas en UTC."""
    return "\n".join(_lineas(reserva))


def _lineas(reserva: Reserva) -> Iterator[str]:
    yield f"  id           {reserva.id}"
    if reserva.HasField("estado"):
        yield f"  estado       {reserva.estado}"
    if reserva.HasField("id_cliente"):
        yield f"  cliente      {reserva.id_cliente}"
    if reserva.HasField("fecha_creacion"):
        yield f"  creada       {_fecha(reserva.fecha_creacion)}"
    if reserva.HasField("fecha_actualizacion"):
        yield f"  actualizada  {_fecha(reserva.fecha_actualizacion)}"
    for numero, itinerario in enumerate(reserva.itinerarios, start=1):
        yield f"  itinerario {numero}"
        for odo in itinerario.odos:
            for segmento in odo.segmentos:
                yield from (f"    {_trayecto(leg)}" for leg in segmento.legs)


def _trayecto(leg: Leg) -> str:
    horario = f"sale {_fecha(leg.fecha_salida)}, llega {_fecha(leg.fecha_llegada)}"
    return f"{_lugar(leg.origen)} → {_lugar(leg.destino)}: {horario}"


def _lugar(locacion: Locacion) -> str:
    return f"{locacion.codigo} {locacion.nombre}"


def _fecha(marca: Timestamp) -> str:
    return f"{marca.ToDatetime():%Y-%m-%d %H:%M} UTC"

"""De los mensajes de gRPC al JSON del API y de vuelta.

El JSON del API es la correspondencia canónica de proto3 a JSON con los nombres del `.proto`
(https://protobuf.dev/programming-guides/json/), así que la hace la biblioteca y no una tabla de campos.
"""

from uuid import UUID

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError, SerializeToJsonError

from fallos import EntradaInvalida, RespuestaIninteligible
from pb2py.vuelos_pb2 import Reserva


def cuerpo_de_creacion(reserva: Reserva) -> dict[str, object]:
    """El cuerpo de `POST /vuelos/reserva`: sólo `itinerarios` e `id_cliente`, lo demás lo asigna AeroAlpes.

    Lanza `EntradaInvalida` si una fecha está fuera de rango o `id_cliente` no es un UUID; las reglas del
    negocio son cosa del API.
    """
    try:
        # Con los campos vacíos escritos el API ve una lista vacía y nombra su regla, en vez de «falta el campo».
        datos = MessageToDict(reserva, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    except SerializeToJsonError as error:
        raise EntradaInvalida(f"La reserva trae una fecha que no existe: {error}") from error
    cuerpo: dict[str, object] = {"itinerarios": [{"odos": itinerario["odos"]} for itinerario in datos["itinerarios"]]}
    if reserva.HasField("id_cliente"):
        cuerpo["id_cliente"] = identificador(reserva.id_cliente, "id_cliente")
    return cuerpo


def identificador(texto: str, campo: str) -> str:
    """El UUID en su forma canónica. Lanza `EntradaInvalida` nombrando el campo."""
    try:
        return str(UUID(texto))
    except ValueError as error:
        raise EntradaInvalida(f"{campo} no es un UUID: {texto!r}") from error


def reserva_de_respuesta(datos: object) -> Reserva:
    """La reserva que contestó el API; lo que añada y aquí no se conozca se ignora.

    Lanza `RespuestaIninteligible` si no tiene la forma de una reserva con identidad.
    """
    try:
        reserva = reserva_de_json(datos, ignorar_desconocidos=True)
    except ValueError as error:
        raise RespuestaIninteligible(f"El API contestó algo que no es una reserva: {error}") from error
    if not reserva.id:
        raise RespuestaIninteligible("El API contestó una reserva sin id")
    return reserva


def reserva_de_json(datos: object, *, ignorar_desconocidos: bool = False) -> Reserva:
    """Una `Reserva` a partir de JSON ya leído. Lanza `ValueError` con lo que no encaja, en una línea."""
    if not isinstance(datos, dict):
        raise ValueError(f"se esperaba un objeto JSON y llegó {type(datos).__name__}")
    try:
        return ParseDict(datos, Reserva(), ignore_unknown_fields=ignorar_desconocidos)
    except ParseError as error:
        raise ValueError(" ".join(str(error).split())) from error

"""Los contratos del API: lo que se acepta y lo que se responde. De aquí sale la OpenAPI."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    StringConstraints,
    WithJsonSchema,
)

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})")


def _leer(valor: Any) -> datetime:
    if not isinstance(valor, str) or not _RFC3339.fullmatch(valor):
        raise ValueError("una fecha se escribe como 2022-11-22T13:10:00Z")
    return datetime.fromisoformat(valor)


def _leer_dia(valor: Any) -> date:
    if not isinstance(valor, str) or not _DIA.fullmatch(valor):
        raise ValueError("un día se escribe como 2022-11-22")
    return date.fromisoformat(valor)


def _leer_entero(valor: Any) -> Any:
    """Para JSON, y para un esquema, 3.0 también es un entero."""
    return int(valor) if isinstance(valor, float) and valor.is_integer() else valor


def _a_utc(fecha: datetime) -> datetime:
    try:
        return fecha.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("la fecha queda, en UTC, fuera de los años 1 a 9999") from error


def _en_segundos(fecha: datetime) -> str:
    """`%Y-%m-%dT%H:%M:%SZ`."""
    return fecha.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _como_vino(fecha: datetime) -> str:
    """Lo mismo, y los milisegundos sólo si los trae."""
    return (
        _en_segundos(fecha)
        if not fecha.microsecond
        else fecha.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    )


Fecha = Annotated[
    AwareDatetime,
    BeforeValidator(_leer),
    AfterValidator(_a_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{_RFC3339.pattern}$"}),
]
_DIA = re.compile(r"\d{4}-\d{2}-\d{2}")
Dia = Annotated[
    date,
    BeforeValidator(_leer_dia),
    WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{_DIA.pattern}$"}),
]
_ENTERO = BeforeValidator(_leer_entero)
_FECHA = WithJsonSchema({"type": "string", "format": "date-time"})
FechaHora = Annotated[datetime, PlainSerializer(_en_segundos, return_type=str), _FECHA]
FechaDeLeg = Annotated[datetime, PlainSerializer(_como_vino, return_type=str), _FECHA]
_SIN_CONTROL = r"^[^\x00-\x1f\x7f]*$"
Codigo = Annotated[str, StringConstraints(min_length=1, max_length=10, pattern=_SIN_CONTROL)]
_PARTE_LOCAL = r"[A-Za-z0-9_'%+-]+(\.[A-Za-z0-9_'%+-]+)*"
_DOMINIO = r"[A-Za-z0-9]+(-+[A-Za-z0-9]+)*(\.[A-Za-z0-9]+(-+[A-Za-z0-9]+)*)*"
Correo = Annotated[str, StringConstraints(max_length=254, pattern=f"^{_PARTE_LOCAL}@{_DOMINIO}$")]
Nombre = Annotated[
    str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")
]
Texto = Annotated[str, StringConstraints(max_length=200, pattern=_SIN_CONTROL)]


class _Entrada(BaseModel):
    """Lo que llega se lee sin adivinar tipos; lo que sobra se ignora."""

    model_config = ConfigDict(strict=True)


class LocacionNueva(_Entrada):
    codigo: Codigo
    nombre: Texto


class LegNuevo(_Entrada):
    fecha_salida: Fecha
    fecha_llegada: Fecha
    destino: LocacionNueva
    origen: LocacionNueva


class SegmentoNuevo(_Entrada):
    legs: list[LegNuevo]


class OdoNuevo(_Entrada):
    segmentos: list[SegmentoNuevo]


class ItinerarioNuevo(_Entrada):
    odos: list[OdoNuevo]


class PasajeroNuevo(_Entrada):
    tipo: Literal["ADULTO", "MENOR", "INFANTE"]


class PagoNuevo(_Entrada):
    medio: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_SIN_CONTROL)]


class HotelNuevo(_Entrada):
    """Una noche de hotel; `fecha` es su día."""

    hotel: Nombre
    fecha: Dia


class VehiculoNuevo(_Entrada):
    """Un vehículo por días enteros; `edad_conductor`, en años."""

    dias: Annotated[int, Field(ge=1, le=1000), _ENTERO]
    edad_conductor: Annotated[int, Field(ge=0, le=150), _ENTERO]


class ReservaNueva(_Entrada):
    """Una reserva por hacer."""

    id_cliente: UUID | None = None
    itinerarios: list[ItinerarioNuevo]
    pasajeros: list[PasajeroNuevo] = Field(default_factory=list)
    pago: PagoNuevo | None = None
    hotel: HotelNuevo | None = None
    vehiculo: VehiculoNuevo | None = None


class Locacion(BaseModel):
    codigo: str
    nombre: str


class Leg(BaseModel):
    fecha_salida: FechaDeLeg
    fecha_llegada: FechaDeLeg
    destino: Locacion
    origen: Locacion


class Segmento(BaseModel):
    legs: list[Leg]


class Odo(BaseModel):
    segmentos: list[Segmento]


class Itinerario(BaseModel):
    odos: list[Odo]


class Pasajero(BaseModel):
    tipo: str


class Hotel(BaseModel):
    hotel: str
    fecha: date


class Vehiculo(BaseModel):
    dias: int
    edad_conductor: int


class Reserva(BaseModel):
    """Una reserva hecha."""

    id: UUID
    id_cliente: UUID | None
    estado: Literal["PENDIENTE", "PAGADA", "APROBADA", "CANCELADA"]
    motivo: str | None
    fecha_creacion: FechaHora
    fecha_actualizacion: FechaHora
    itinerarios: list[Itinerario]
    pasajeros: list[Pasajero]
    hotel: Hotel | None
    vehiculo: Vehiculo | None


class Pagina(BaseModel):
    """Reservas, de la más nueva a la más vieja; con `siguiente` como `cursor` se pide la página que sigue."""

    reservas: list[Reserva]
    siguiente: str | None


class ParametrosPagina(BaseModel):
    limite: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Field(max_length=200)] = None


EstadoDeSaga = Literal["EN_CURSO", "COMPENSANDO", "DETENIDA", "COMPLETADA", "COMPENSADA"]


class ParametrosSagas(ParametrosPagina):
    estado: EstadoDeSaga | None = None


class CabecerasPost(BaseModel):
    """Con la misma clave, la misma petición se hace una sola vez."""

    idempotency_key: Annotated[
        str | None, Field(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    ] = None


class ReservaAceptada(BaseModel):
    """El id que tendrá la reserva cuando el comando se ejecute."""

    id: UUID


class ClienteNuevo(_Entrada):
    """Los datos de un cliente; el correo, en ASCII."""

    nombre: Nombre
    correo: Correo


class Cliente(BaseModel):
    """Un cliente."""

    id: UUID
    nombre: str
    correo: str


class Movimiento(BaseModel):
    """Algo que le pasó a un pago; `monto`, en centavos, si movió o pidió mover dinero."""

    tipo: str
    fecha: FechaHora
    monto: int | None


class Pago(BaseModel):
    """El pago de una reserva, en centavos; `saldo` es lo que queda cobrado."""

    id_reserva: UUID
    estado: Literal["SOLICITADO", "EN_DUDA", "COBRADO", "RECHAZADO", "REVIRTIENDO", "REVERTIDO"]
    monto: int
    saldo: int
    motivo: str | None
    movimientos: list[Movimiento]


Manera = Literal["orquestada", "coreografiada"]


class PasoSaga(BaseModel):
    """Un paso, por el comando que lo hace y el que lo desharía."""

    comando: str
    estado: Literal["PENDIENTE", "OMITIDO", "PEDIDO", "HECHO", "FALLIDO", "COMPENSANDO", "COMPENSADO"]
    compensacion: str | None


class NotaSaga(BaseModel):
    """Algo que le pasó a una saga; `mensaje` es el evento o comando, e `id_mensaje` el del mensaje que la movió."""

    fecha: FechaHora
    que: str
    mensaje: str
    detalle: str | None
    id_mensaje: str | None


class SagaResumida(BaseModel):
    """Por dónde va una reserva; `vence` es cuándo deja de esperar al paso en curso."""

    id_reserva: UUID
    version: int
    estado: EstadoDeSaga
    motivo: str | None
    fecha_creacion: FechaHora
    fecha_actualizacion: FechaHora
    vence: FechaHora | None
    pasos: list[PasoSaga]


class Saga(SagaResumida):
    """Por dónde va una reserva y todo lo que le pasó."""

    diario: list[NotaSaga]


class PaginaSagas(BaseModel):
    """Sagas, de la que cambió hace menos a la que hace más; `siguiente`, como `cursor`, pide la página que sigue.

    `manera` es cómo se llevan las reservas nuevas: si es coreografiada, las que hay son de antes y no habrá más.
    """

    manera: Manera
    sagas: list[SagaResumida]
    siguiente: str | None


class ParametrosPrecio(BaseModel):
    """Una ruta, por los códigos de sus aeropuertos."""

    origen: Codigo
    destino: Codigo


class Precio(BaseModel):
    """Lo que cuesta hoy una plaza en una ruta, en centavos; `demanda`, cuántas reservas vivas la tienen."""

    origen: str
    destino: str
    precio: int
    demanda: int


class DiaReservado(BaseModel):
    """Un día, en UTC, y cuántas reservas se hicieron."""

    dia: date
    reservas: int


class Historia(BaseModel):
    """Cuánto se reservó una ruta: los últimos días, hasta noventa, que tuvieron alguna reserva, en orden."""

    origen: str
    destino: str
    dias: list[DiaReservado]


class Envio(BaseModel):
    """Lo que un contexto publica en un tópico."""

    topico: str
    mensajes: list[str]


class Escucha(BaseModel):
    """Un tópico que un contexto atiende, y con qué suscripción."""

    topico: str
    suscripcion: str


class Contexto(BaseModel):
    """Lo que un contexto publica y atiende."""

    contexto: str
    publica: list[Envio]
    atiende: list[Escucha]


class Mapa(BaseModel):
    """Quién habla con quién por el broker."""

    contextos: list[Contexto]


class ParametrosLetras(BaseModel):
    """De qué suscripción, o de todas; y cuántas como mucho."""

    suscripcion: str | None = None
    maximo: Annotated[int, Field(ge=1, le=1000)] = 100


class LetraMuerta(BaseModel):
    """Un mensaje que una suscripción no pudo atender: por qué y tras cuántos intentos."""

    id: str
    suscripcion: str
    topico: str
    clave: str | None
    motivo: str
    intentos: int
    fecha: FechaHora


class LetrasMuertas(BaseModel):
    """Las que esperan a que alguien decida."""

    letras: list[LetraMuerta]


class LetraMuertaEntera(LetraMuerta):
    """Con sus cabeceras y sus bytes intactos: en `cuerpo` si son texto y, si no, en `cuerpo_base64`.

    Si son Avro y se conoce su esquema, lo que dicen va además en `datos`.
    """

    cabeceras: dict[str, str]
    datos: dict[str, Any] | None = None
    cuerpo: str | None = None
    cuerpo_base64: str | None = None


class Salud(BaseModel):
    status: Literal["up"] = "up"


class Preparacion(BaseModel):
    """Si el servicio puede trabajar, y qué le falta."""

    status: Literal["up", "down"]
    base_datos: str
    broker: str
    relay: str


class Descripcion(RootModel[dict[str, Any]]):
    """Este mismo API, en OpenAPI 3.1."""


class ErrorDeCampo(BaseModel):
    pointer: str
    detail: str


class Problema(BaseModel):
    """Un error (RFC 9457). `regla` nombra la regla de negocio incumplida; `errors`, los campos mal formados.

    `manera` dice cómo se llevan las reservas, si por eso no hay lo que se pidió.
    """

    type: str
    title: str
    status: int
    detail: str
    regla: str | None = None
    manera: Manera | None = None
    errors: list[ErrorDeCampo] | None = None

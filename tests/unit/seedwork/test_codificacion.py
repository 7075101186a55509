"""De un objeto a un mensaje y de vuelta; y lo que no se entiende es siempre `MensajeInvalido`."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import TOPICO_MAXIMO, Mensaje
from seedwork.infraestructura.codificacion import (
    Evento,
    MensajeInvalido,
    codificar,
    codificar_evento,
    decodificar,
    exigir_legible,
    nombre_de_evento,
)
from seedwork.infraestructura.esquemas import EsquemaDesconocido
from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion, sobre


@dataclass(frozen=True, kw_only=True)
class Detalle:
    importe: float
    notas: list[str]


@dataclass(frozen=True, kw_only=True)
class EventosPrueba(EventoIntegracion):
    creado: Detalle | None = None


@dataclass(frozen=True, kw_only=True)
class Suelta:
    id: UUID
    cuando: datetime


@dataclass
class Opaca:
    valor: memoryview


class Estricto(BaseModel):
    model_config = ConfigDict(strict=True)
    id: UUID
    total: float


def integracion() -> EventosPrueba:
    return EventosPrueba(**sobre("Creado", "vuelos"), creado=Detalle(importe=1.5, notas=["ñ", ""]))  # type: ignore[arg-type]


def test_un_mensaje_de_integracion_va_en_avro_con_los_atributos_de_cloudevents() -> None:
    original = integracion()
    mensaje = codificar(original, topico="eventos", servicio="otro", clave="k")

    cabeceras = mensaje.cabeceras
    assert (cabeceras["id"], cabeceras["type"], cabeceras["source"]) == (original.id, "Creado", "vuelos")
    assert (cabeceras["specversion"], cabeceras["datacontenttype"]) == ("1.0", "application/avro")
    assert (cabeceras["subject"], cabeceras["partitionkey"]) == ("k", "k")
    assert datetime.fromisoformat(cabeceras["time"]).timestamp() == pytest.approx(original.time / 1000)
    assert decodificar(mensaje, EventosPrueba) == original


def test_un_avro_sin_cabeceras_se_lee_con_el_esquema_propio() -> None:
    mensaje = codificar(integracion(), topico="eventos", servicio="s")

    assert decodificar(Mensaje(topico="eventos", cuerpo=mensaje.cuerpo), EventosPrueba).creado is not None


@pytest.mark.parametrize("formato", ["application/avro; v=1", "Application/AVRO"])
def test_el_tipo_de_contenido_admite_parametros_y_mayusculas(formato: str) -> None:
    mensaje = codificar(integracion(), topico="e", servicio="s", cabeceras={"datacontenttype": formato})

    assert decodificar(mensaje, EventosPrueba).type == "Creado"


def test_un_mensaje_de_integracion_tambien_se_lee_de_json() -> None:
    cuerpo = codificar({**sobre("Creado", "s"), "creado": {"importe": 1, "notas": []}}, topico="e", servicio="s").cuerpo

    assert decodificar(Mensaje(topico="e", cuerpo=cuerpo), EventosPrueba).creado == Detalle(importe=1, notas=[])


def test_un_esquema_que_no_esta_publicado_aqui_no_se_lee() -> None:
    mensaje = codificar(integracion(), topico="e", servicio="s", cabeceras={"dataschema": "urn:avro:x:0000"})

    with pytest.raises(MensajeInvalido, match="0000"):
        decodificar(mensaje, EventosPrueba)


def test_un_evento_lleva_su_sobre_y_se_lee_entero_o_solo_sus_datos() -> None:
    id = uuid4()
    mensaje = codificar_evento("pedido.creado", {"id": id, "total": 9.5}, servicio="pedidos")

    assert mensaje.topico == "pedido.creado"
    evento = decodificar(mensaje, Evento)
    assert (evento.name, evento.source, evento.data) == ("pedido.creado", "pedidos", {"id": str(id), "total": 9.5})
    assert abs((datetime.now(UTC) - evento.timestamp).total_seconds()) < 60
    assert decodificar(mensaje, Estricto) == Estricto(id=id, total=9.5)
    assert decodificar(mensaje, dict[str, Any]) == {"id": str(id), "total": 9.5}
    assert decodificar(mensaje, Mensaje) is mensaje


def test_un_json_ajeno_sin_sobre_se_lee_tal_cual() -> None:
    id = uuid4()
    mensaje = Mensaje(topico="pedidos", cuerpo=b'{"id": "%s", "cuando": "2026-02-01T12:00:00Z"}' % str(id).encode())

    assert decodificar(mensaje, Suelta) == Suelta(id=id, cuando=datetime(2026, 2, 1, 12, tzinfo=UTC))
    evento = decodificar(mensaje, Evento)
    assert (evento.name, evento.source, evento.data["id"]) == ("pedidos", "", str(id))


@pytest.mark.parametrize(
    ("cabeceras", "cuerpo", "nombre"),
    [
        ({"type": "a.b"}, b"{}", "a.b"),
        ({}, b'{"name": "n", "data": 1, "timestamp": 1, "source": 1}', "n"),
        ({}, b'{"name": 5, "data": 1, "timestamp": 1, "source": 1}', "t"),
        ({}, b'{"name": "n"}', "t"),
        ({}, b"{\xff", "t"),
        ({}, b"[" * 100_000, "t"),
        ({}, b'{"a":' * 100_000, "t"),
        ({"type": ""}, b"", "t"),
        ({"type": "a." * TOPICO_MAXIMO}, b"", "t"),
    ],
)
def test_el_nombre_de_un_evento_sale_del_type_del_sobre_o_del_topico(
    cabeceras: dict[str, str], cuerpo: bytes, nombre: str
) -> None:
    assert nombre_de_evento(Mensaje(topico="t", cuerpo=cuerpo, cabeceras=cabeceras)) == nombre


_TIPOS = [EventosPrueba, Suelta, Estricto, Evento, dict, dict[str, int]]
_FORMATOS = [None, "application/avro", "application/json", "", "text/plain"]


@settings(max_examples=300, deadline=None)
@given(
    cuerpo=st.binary(max_size=300) | st.text(alphabet='{}[]":,0123456789enaltrufsu\\dN-', max_size=60).map(str.encode),
    tipo=st.sampled_from(_TIPOS),
    formato=st.sampled_from(_FORMATOS),
    esquema=st.none() | st.text(max_size=10),
)
def test_unos_bytes_cualesquiera_se_leen_o_son_un_mensaje_invalido(
    cuerpo: bytes, tipo: Any, formato: str | None, esquema: str | None
) -> None:
    cabeceras = {k: v for k, v in (("datacontenttype", formato), ("dataschema", esquema)) if v is not None}
    with contextlib.suppress(MensajeInvalido):
        decodificar(Mensaje(topico="t", cuerpo=cuerpo, cabeceras=cabeceras), tipo)


@settings(max_examples=200, deadline=None)
@given(donde=st.integers(0, 200), con=st.binary(max_size=5), corte=st.integers(0, 5))
def test_un_avro_alterado_se_lee_o_es_un_mensaje_invalido(donde: int, con: bytes, corte: int) -> None:
    bueno = codificar(integracion(), topico="t", servicio="s")
    donde %= len(bueno.cuerpo)
    cuerpo = bueno.cuerpo[:donde] + con + bueno.cuerpo[donde + corte :]
    with contextlib.suppress(MensajeInvalido):
        decodificar(Mensaje(topico="t", cuerpo=cuerpo, cabeceras=bueno.cabeceras), EventosPrueba)


@pytest.mark.parametrize(
    "cuerpo", [b"[" * 200_000, b'{"a":' * 200_000, b"1" * 10_000, b'{"id": 1' + b"0" * 6000 + b"}"]
)
@pytest.mark.parametrize("tipo", [Suelta, Estricto, Evento])
def test_un_json_desmesurado_es_un_mensaje_invalido(cuerpo: bytes, tipo: Any) -> None:
    with pytest.raises(MensajeInvalido):
        decodificar(Mensaje(topico="t", cuerpo=cuerpo), tipo)


@pytest.mark.parametrize("tipo", [EventosPrueba, Suelta, Estricto, Evento, Mensaje, dict])
def test_los_tipos_que_se_saben_leer_se_aceptan(tipo: Any) -> None:
    exigir_legible(tipo)


def test_un_tipo_que_no_se_sabe_leer_es_un_error_que_lo_nombra() -> None:
    with pytest.raises(ErrorDeArranque, match="Opaca"):
        exigir_legible(Opaca)


@pytest.mark.parametrize(
    ("escritor", "puede_llegar_a_leerse"),
    [
        ("{espacio}.v7.EventosPrueba:{huella}", True),
        ("{espacio}.v7.EventosPrueba:0", False),
        ("{espacio}.v7.EventosPrueba", False),
        ("{espacio}.v7.OtrosEventos:{huella}", False),
        ("otro.contexto.v7.EventosPrueba:{huella}", False),
        ("EventosPrueba:{huella}", False),
    ],
)
def test_solo_lo_que_escribio_otra_version_del_mismo_registro_puede_llegar_a_leerse(
    escritor: str, puede_llegar_a_leerse: bool
) -> None:
    mensaje = codificar(integracion(), topico="t", servicio="s")
    propio = mensaje.cabeceras["dataschema"].removeprefix("urn:avro:")
    espacio = propio.partition(".EventosPrueba")[0]
    urn = f"urn:avro:{escritor}".format(espacio=espacio, huella="0" * 64)
    ajeno = Mensaje(topico="t", cuerpo=mensaje.cuerpo, cabeceras={**mensaje.cabeceras, "dataschema": urn})
    with pytest.raises(EsquemaDesconocido if puede_llegar_a_leerse else MensajeInvalido, match="no está publicado"):
        decodificar(ajeno, EventosPrueba)

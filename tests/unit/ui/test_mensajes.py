"""Lo que un cliente puede decir por el websocket, y todo lo demás."""

import json
from uuid import uuid4

import pytest
from aiohttp import WSMessage, WSMsgType
from hypothesis import given
from hypothesis import strategies as st

from ui.mensajes import MENSAJE_MAXIMO_BYTES, MensajeInvalido, id_suscrito


def _texto(contenido: str) -> WSMessage:
    return WSMessage(WSMsgType.TEXT, contenido, None)


def test_una_suscripcion_da_el_id_en_su_forma_canonica() -> None:
    id_reserva = uuid4()
    mensaje = json.dumps({"suscribir": {"id_reserva": str(id_reserva).upper()}})
    assert id_suscrito(_texto(mensaje)) == str(id_reserva)


@pytest.mark.parametrize(
    ("contenido", "queja"),
    [
        ("hola", "no es JSON"),
        ("", "no es JSON"),
        ("[" * 4000, "no es JSON"),
        ("[]", "Sólo se admite"),
        ("null", "Sólo se admite"),
        ('{"suscribir": {}}', "Sólo se admite"),
        ('{"suscribir": null}', "Sólo se admite"),
        ('{"suscribir": {"id_reserva": 7}}', "Sólo se admite"),
        ('{"suscribir": {"id_reserva": "x"}}', "no es un uuid"),
        ('{"suscribir": {"id_reserva": "00000000-0000-4000-8000-000000000001", "y": 1}}', "Sólo se admite"),
        ('{"suscribir": {"id_reserva": "00000000-0000-4000-8000-000000000001"}, "y": 1}', "Sólo se admite"),
        (" " * (MENSAJE_MAXIMO_BYTES + 1), "pasa de 4096 bytes"),
    ],
)
def test_lo_que_no_es_una_suscripcion_se_rechaza_diciendo_por_que(contenido: str, queja: str) -> None:
    with pytest.raises(MensajeInvalido, match=queja):
        id_suscrito(_texto(contenido))


def test_un_mensaje_binario_se_rechaza_aunque_su_contenido_sirva() -> None:
    contenido = json.dumps({"suscribir": {"id_reserva": str(uuid4())}}).encode()
    with pytest.raises(MensajeInvalido, match="binarios"):
        id_suscrito(WSMessage(WSMsgType.BINARY, contenido, None))


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda hijos: st.lists(hijos) | st.dictionaries(st.text() | st.just("suscribir") | st.just("id_reserva"), hijos),
)


@given(st.text() | _json.map(json.dumps))
def test_ningun_texto_produce_otro_error_que_mensaje_invalido(contenido: str) -> None:
    with pytest.raises(MensajeInvalido):
        id_suscrito(_texto(contenido))

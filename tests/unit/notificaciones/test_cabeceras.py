"""Nadie que escriba un nombre, una dirección o un motivo puede escribir también las cabeceras del correo."""

import re
from email import message_from_bytes, policy

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.unit.notificaciones.fabrica import un_aviso

from notificaciones.correo import componer
from notificaciones.direcciones import DireccionInvalida, leer_direccion, validar_direccion

CABECERAS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type", "Content-Language",
]  # fmt: skip
TROZOS = st.sampled_from(
    [
        "\r\nBcc: x@y.example",
        "\n",
        "\r",
        "\0",
        "\x85",
        "\u2028",
        "=?utf-8?q?=0D=0ABcc:_x?=",
        "=?utf-8?b?Cg==?=",
        "?=",
        "=",
        "?",
        '"',
        "\\",
        "<otro@malo.example>",
        ",",
        ";",
        ":",
        "(",
        ")",
        "[",
        "]",
        "@",
        ".",
        " ",
        "\u202e",
        "\u2069",
    ]
)
CUALQUIER_TEXTO = st.lists(TROZOS | st.text(st.characters(), max_size=30), max_size=30).map("".join)


@settings(deadline=None)  # una máquina ocupada no es un fallo
@given(nombre=CUALQUIER_TEXTO, motivo=CUALQUIER_TEXTO)
@example(nombre="Pérez, Ana otro@malo.example, " * 6, motivo="")
@example(nombre="Perez, Ana otro@malo.example, " * 6, motivo="")
@example(nombre="=?utf-8?q?=0ABcc:_x@y.example?=", motivo="=?utf-8?q?=0ABcc:_x@y.example?=")
@example(nombre="==??utf-8?q?=0ABcc:_x@y.example?=", motivo="")
def test_ningun_nombre_ni_motivo_anade_cabeceras_ni_destinatarios(nombre: str, motivo: str) -> None:
    crudo = componer(un_aviso(tipo="cancelada", nombre=nombre, motivo=motivo)).as_bytes()
    mensaje = message_from_bytes(crudo, policy=policy.default)

    assert sorted(mensaje.keys()) == sorted(CABECERAS)
    assert [d.addr_spec for d in mensaje["To"].addresses] == ["ana@clientes.example"]
    assert not mensaje["To"].addresses[0].display_name.splitlines()[1:]
    assert mensaje["Subject"] == "Tu reserva 12c117e8 se canceló"
    assert [p.get_content_type() for p in mensaje.iter_parts()] == ["text/plain", "text/html"]


@settings(deadline=None)  # una máquina ocupada no es un fallo
@given(nombre=CUALQUIER_TEXTO)
def test_ningun_nombre_escapa_tampoco_con_cabeceras_en_utf8(nombre: str) -> None:
    crudo = componer(un_aviso(nombre=nombre, destinatario="ñandú@correo.example")).as_bytes()
    mensaje = message_from_bytes(crudo, policy=policy.SMTPUTF8)

    assert sorted(mensaje.keys()) == sorted(CABECERAS)
    [a] = re.findall(r"^To:((?:[^\r]|\r\n[ \t])*)\r\n", crudo.decode(), re.MULTILINE)
    assert re.fullmatch(r"""\s*ñandú@correo.example|[^,:;@<>()\[\]\\]*<ñandú@correo.example>""", a)


@settings(deadline=None)  # una máquina ocupada no es un fallo
@given(antes=st.text(max_size=5), veneno=TROZOS, despues=st.text(max_size=5))
def test_una_direccion_se_acepta_entera_o_se_rechaza(antes: str, veneno: str, despues: str) -> None:
    direccion = f"{antes}{veneno}{despues}@clientes.example"
    try:
        aviso = un_aviso(destinatario=direccion)
    except DireccionInvalida:
        return
    crudo = componer(aviso).as_bytes()
    mensaje = message_from_bytes(crudo, policy=policy.SMTPUTF8)
    assert sorted(mensaje.keys()) == sorted(CABECERAS)
    assert f"To: {direccion}\r\n".encode() in crudo


@settings(deadline=None)  # una máquina ocupada no es un fallo
@given(st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9=?_-]{1,10}){0,2}", fullmatch=True))
def test_una_direccion_corriente_viaja_tal_cual(local: str) -> None:
    assume("=?" not in local)
    direccion = f"{local}@sub-dominio.clientes.example"
    crudo = componer(un_aviso(destinatario=direccion)).as_bytes()
    [leida] = message_from_bytes(crudo, policy=policy.default)["To"].addresses
    assert leida.addr_spec == direccion


@pytest.mark.parametrize(
    "direccion",
    [
        "",
        "ana",
        "@x",
        "ana@",
        "a@b@c",
        "ana @x.example",
        "ana@x.example\r\nBcc: otra@x.example",
        "ana@x.example\n",
        "<ana@x.example>",
        "Ana <ana@x.example>",
        "ana@x.example,otra@x.example",
        '"a b"@x.example',
        "ana@[127.0.0.1]",
        ".ana@x.example",
        "ana..b@x.example",
        "ana@x..example",
        "ana@-x.example",
        "ana\u00a0@x.example",
        "an\u200ba@x.e",
        "=?utf-8?q?=0A?=@x.example",
        "a" * 65 + "@x.example",
        "ñ" * 33 + "@x.example",
        "a@" + "x" * 253,
        "\ud800@x.example",
    ],
)
def test_una_direccion_dudosa_se_rechaza(direccion: str) -> None:
    with pytest.raises(DireccionInvalida):
        validar_direccion(direccion)


@pytest.mark.parametrize(
    "direccion", ["ana@x", "o'connor+viajes@x.example", "ñandú@españa.example", "משה@דוגמה.example"]
)
def test_una_direccion_de_cualquier_alfabeto_se_acepta(direccion: str) -> None:
    assert validar_direccion(direccion) == direccion


@pytest.mark.parametrize(
    ("texto", "nombre", "direccion"),
    [
        ("no-responder@x.example", "", "no-responder@x.example"),
        (" <no-responder@x.example> ", "", "no-responder@x.example"),
        ('"Aero, Alpes" <no-responder@x.example>', "Aero Alpes", "no-responder@x.example"),
        ("Viajes Ñandú <no-responder@x.example>", "Viajes Ñandú", "no-responder@x.example"),
    ],
)
def test_un_remitente_se_lee_con_o_sin_nombre(texto: str, nombre: str, direccion: str) -> None:
    leida = leer_direccion(texto)
    assert (leida.display_name, leida.addr_spec) == (nombre, direccion)


@pytest.mark.parametrize(
    "texto", ["", "AeroAlpes", "A <a@x.example> B", "A <a@x.example>, b@x.example", "A\n <a@x.example>"]
)
def test_un_remitente_dudoso_se_rechaza(texto: str) -> None:
    with pytest.raises(DireccionInvalida):
        leer_direccion(texto)

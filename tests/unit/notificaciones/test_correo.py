"""El correo que lee la persona: sus partes, sus letras y su identidad."""

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from tests.unit.notificaciones.fabrica import ID_EVENTO, ID_RESERVA, un_aviso

from notificaciones.aviso import Aviso, AvisoInvalido
from notificaciones.correo import _PLANTILLAS, componer, redactar
from notificaciones.direcciones import leer_direccion
from notificaciones.texto import limpiar

TIPOS = ("creada", "aprobada", "cancelada")
HEBREO, ARABE = "יעל כהן", "محمد الأحمد"


def ida_y_vuelta(aviso: Aviso) -> EmailMessage:
    mensaje = message_from_bytes(componer(aviso).as_bytes(), policy=policy.default)
    assert isinstance(mensaje, EmailMessage)
    return mensaje


def parte(mensaje: EmailMessage, subtipo: str) -> str:
    cuerpo = mensaje.get_body((subtipo,))
    assert cuerpo is not None
    return str(cuerpo.get_content())


class Lector(HTMLParser):
    """Las etiquetas de una página y el texto de sus `bdi`, como los entendería un programa de correo."""

    def __init__(self, pagina: str) -> None:
        super().__init__(convert_charrefs=True)
        self.etiquetas: list[str] = []
        self.aislados: list[str] = []
        self._dentro = False
        self.feed(pagina)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.etiquetas.append(tag)
        if tag == "bdi":
            assert dict(attrs) == {"dir": "auto"}
            self._dentro = True
            self.aislados.append("")

    def handle_endtag(self, tag: str) -> None:
        self._dentro = self._dentro and tag != "bdi"

    def handle_data(self, data: str) -> None:
        if self._dentro:
            self.aislados[-1] += data


@pytest.mark.parametrize("tipo", TIPOS)
def test_cada_correo_lleva_texto_y_html_alternativos_en_utf8(tipo: str) -> None:
    mensaje = ida_y_vuelta(un_aviso(tipo=tipo))

    assert mensaje.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in mensaje.iter_parts()] == ["text/plain", "text/html"]
    assert {p.get_content_charset() for p in mensaje.iter_parts()} == {"utf-8"}
    assert not mensaje.defects
    for subtipo in ("plain", "html"):
        assert str(ID_RESERVA) in parte(mensaje, subtipo)
        assert "22/11/2022 13:10 UTC" in parte(mensaje, subtipo)
    assert mensaje["Subject"] in parte(mensaje, "html")


@pytest.mark.parametrize(
    ("tipo", "frase"), [("creada", "Recibimos tu reserva"), ("aprobada", "¡Buen viaje!"), ("cancelada", "se canceló")]
)
def test_cada_estado_cuenta_lo_suyo_con_sus_acentos(tipo: str, frase: str) -> None:
    mensaje = ida_y_vuelta(un_aviso(tipo=tipo))
    assert frase in parte(mensaje, "plain")
    assert frase in parte(mensaje, "html")


def test_los_asuntos_de_los_tres_estados_son_distintos_y_llevan_acentos() -> None:
    asuntos = [ida_y_vuelta(un_aviso(tipo=tipo))["Subject"] for tipo in TIPOS]
    assert asuntos == [
        "Recibimos tu reserva 12c117e8",
        "Tu reserva 12c117e8 está aprobada",
        "Tu reserva 12c117e8 se canceló",
    ]


def test_la_cancelacion_da_su_motivo_y_sin_motivo_no_deja_el_hueco() -> None:
    con = ida_y_vuelta(un_aviso(tipo="cancelada", motivo="Pago rechazado: «tok_rechazado»"))
    sin = ida_y_vuelta(un_aviso(tipo="cancelada"))
    for subtipo in ("plain", "html"):
        assert "Pago rechazado: «tok_rechazado»" in parte(con, subtipo)
        assert "Motivo" not in parte(sin, subtipo)


def test_sin_nombre_el_saludo_no_deja_un_hueco() -> None:
    for nombre in (None, "", " \n\t\u202e "):
        mensaje = ida_y_vuelta(un_aviso(nombre=nombre))
        assert parte(mensaje, "plain").startswith("Hola:")
        assert "<p>Hola:</p>" in parte(mensaje, "html")
        assert mensaje["To"].addresses[0].display_name == ""


@pytest.mark.parametrize("nombre", [HEBREO, ARABE, "Íñigo Ñandú", "José 🛫 " + HEBREO])
def test_un_nombre_de_cualquier_alfabeto_llega_entero_y_aislado(nombre: str) -> None:
    mensaje = ida_y_vuelta(un_aviso(nombre=nombre))

    assert mensaje["To"].addresses[0].display_name == nombre
    assert f"Hola \u2068{nombre}\u2069:" in parte(mensaje, "plain")
    assert Lector(parte(mensaje, "html")).aislados == [nombre]


def test_un_nombre_no_puede_dar_la_vuelta_al_resto_ni_salirse_de_su_aislamiento() -> None:
    texto = redactar(un_aviso(nombre="Ana\u202e\u2069\u2067 nóicaler")).texto
    assert "Hola \u2068Ana nóicaler\u2069:" in texto


@settings(deadline=None)  # una máquina ocupada no es un fallo
@given(nombre=st.text(), motivo=st.text())
def test_el_html_no_lleva_nada_de_lo_escrito_sin_escapar(nombre: str, motivo: str) -> None:
    hostil = f"<img src=x onerror=alert(1)>{nombre}</bdi><script>&amp;{{{{ 7*7 }}}}"
    lector = Lector(redactar(un_aviso(tipo="cancelada", nombre=hostil, motivo=f"x{motivo}\"'<b>")).html)
    neutro = Lector(redactar(un_aviso(tipo="cancelada", nombre="Ana", motivo="x")).html)

    assert lector.etiquetas == neutro.etiquetas
    assert lector.aislados == [limpiar(hostil, 100), limpiar(f"x{motivo}\"'<b>", 1000)]


def test_un_nombre_y_un_motivo_enormes_se_recortan() -> None:
    mensaje = componer(un_aviso(tipo="cancelada", nombre="ñ" * 1_000_000, motivo="é" * 1_000_000))
    assert len(mensaje.as_bytes()) < 30_000


def test_a_la_plantilla_no_le_puede_faltar_un_dato_en_silencio() -> None:
    with pytest.raises(UndefinedError):
        _PLANTILLAS.get_template("creada.html").render(asunto="x")


def test_el_mismo_evento_da_los_mismos_bytes() -> None:
    aviso = un_aviso(nombre=ARABE, tipo="cancelada", motivo="Sin plazas")
    assert componer(aviso).as_bytes() == componer(aviso).as_bytes()


def test_la_identidad_y_la_fecha_salen_del_evento() -> None:
    bogota = timezone(timedelta(hours=-5))
    mensaje = ida_y_vuelta(un_aviso(fecha=datetime(2022, 11, 22, 8, 10, tzinfo=bogota)))

    assert mensaje["Message-ID"] == f"<{ID_EVENTO}@aeroalpes.example>"
    assert mensaje["Date"].datetime == datetime(2022, 11, 22, 13, 10, tzinfo=UTC)
    assert mensaje["Auto-Submitted"] == "auto-generated"
    assert mensaje["Content-Language"] == "es"


def test_el_remitente_se_puede_elegir() -> None:
    assert componer(un_aviso())["From"] == "AeroAlpes <no-responder@aeroalpes.example>"
    otro = componer(un_aviso(), leer_direccion("Reservas Ñandú <reservas@otra.example>"))
    assert otro["From"].addresses[0].display_name == "Reservas Ñandú"
    assert otro["From"].addresses[0].addr_spec == "reservas@otra.example"


@pytest.mark.parametrize("tipo", TIPOS)
def test_con_direcciones_ascii_todo_el_correo_es_ascii_con_lineas_crlf_cortas(tipo: str) -> None:
    crudo = componer(un_aviso(tipo=tipo, nombre=HEBREO * 10, motivo=ARABE * 40)).as_bytes()

    assert crudo.isascii()
    assert crudo.count(b"\n") == crudo.count(b"\r\n") == crudo.count(b"\r")
    assert max(map(len, crudo.split(b"\r\n"))) <= 78


def test_una_direccion_fuera_de_ascii_pone_las_cabeceras_en_utf8() -> None:
    crudo = componer(un_aviso(destinatario="ñandú@correo.example", nombre=HEBREO)).as_bytes()
    assert f"To: {HEBREO} <ñandú@correo.example>\r\n".encode() in crudo


@pytest.mark.parametrize(
    "cambio",
    [{"tipo": "pagada"}, {"fecha": datetime(2022, 11, 22, 13, 10)}],  # noqa: DTZ001 sin zona, a propósito
)
def test_un_aviso_que_no_se_puede_contar_se_rechaza(cambio: dict[str, object]) -> None:
    with pytest.raises(AvisoInvalido):
        un_aviso(**cambio)

"""Lo que dice el entorno sobre el correo, y con qué frase se rechaza lo que no se entiende."""

import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from notificaciones.buzon import Buzon
from notificaciones.configuracion import ConfiguracionInvalida, cartero_de, leer_configuracion
from notificaciones.servidor_smtp import ServidorSmtp, UrlSmtpInvalida
from notificaciones.smtp import CarteroSmtp

VARIABLES = ("SMTP_URL", "AEROALPES_DATOS", "NOTIFICACIONES_DESTINATARIO", "NOTIFICACIONES_REMITENTE")


@pytest.fixture(autouse=True)
def _entorno_vacio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_sin_nada_los_correos_van_al_buzon_de_var(tmp_path: Path) -> None:
    configuracion = leer_configuracion()

    assert configuracion.datos == Path("var")
    assert configuracion.destinatario == "reservas@aeroalpes.example"
    assert str(configuracion.remitente) == "AeroAlpes <no-responder@aeroalpes.example>"
    assert isinstance(cartero_de(configuracion), Buzon)
    assert (tmp_path / "var" / "buzon").is_dir()


def test_con_smtp_url_los_correos_van_al_servidor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://correo.example:2525")
    configuracion = leer_configuracion()

    assert configuracion.smtp == ServidorSmtp(host="correo.example", puerto=2525)
    assert isinstance(cartero_de(configuracion), CarteroSmtp)
    assert not (tmp_path / "var").exists()


def test_el_codigo_gana_al_entorno_y_el_entorno_al_archivo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "NOTIFICACIONES_REMITENTE=Ñandú <de@archivo.example>\nAEROALPES_DATOS=archivo\nSMTP_URL=smtp://archivo\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("AEROALPES_DATOS", "entorno")
    monkeypatch.setenv("SMTP_URL", "smtp://entorno")
    configuracion = leer_configuracion(smtp="smtp://codigo")

    assert configuracion.remitente.display_name == "Ñandú"
    assert configuracion.datos == Path("entorno")
    assert configuracion.smtp == ServidorSmtp(host="codigo", puerto=25)


def test_una_variable_vacia_cuenta_como_ausente(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")
    assert leer_configuracion().smtp is None


def test_la_configuracion_no_cambia_despues_de_leida() -> None:
    configuracion = leer_configuracion()
    with pytest.raises(ValidationError):
        configuracion.destinatario = "otro@x.example"


def test_una_carpeta_que_no_se_puede_usar_para_el_arranque_con_una_frase(tmp_path: Path) -> None:
    (tmp_path / "ocupado").write_text("no soy una carpeta")
    with pytest.raises(ConfiguracionInvalida, match="AEROALPES_DATOS"):
        cartero_de(leer_configuracion(datos=tmp_path / "ocupado"))


def test_la_frase_nombra_cada_variable_que_no_vale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "http://x")
    monkeypatch.setenv("NOTIFICACIONES_DESTINATARIO", "nadie")
    monkeypatch.setenv("NOTIFICACIONES_REMITENTE", "Nadie")
    with pytest.raises(ConfiguracionInvalida) as error:
        leer_configuracion()
    for variable in ("SMTP_URL", "NOTIFICACIONES_DESTINATARIO", "NOTIFICACIONES_REMITENTE"):
        assert f"{variable}: " in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://ana:SECRETO/x@h:25",
        "smtp://ana:#SECRETO@h",
        "smtp://ana:SECRETO?@h",
        "smtp://ana:[SECRETO@h",
        "SECRETO",
        "http://ana:SECRETO@h",
        "smtp://ana:SECRETO%zz@h",
        "smtp://ana:SECRETO%@h",
        "smtp://:SECRETO@h",
        "smtp://SECRETO@h",
        "smtp://ana:SECRETO@",
        "smtp://ana:SECRETO@h:puerto",
        "smtp://ana:SECRETO@h:70000",
        "smtp://ana:SECRETO@h:0",
        "smtp://ana:SECRETO@h/ruta",
        "smtp://ana:SECRETO℀@h",
        "smtp://ana:SECRETO%0d%0a@h",
        "smtp://ana:SECRETO%ff@h",
        "smtp://ana:SECRETO@h o",
        "smtp://ana:SECRETO@h\n.x",
        "smtp://ana:SECRETO@[::x]",
        "smtp://ana:SECRETO@a..b",
        "smtp:///SECRETO",
        "smtp://ana:SECRETO@" + "a" * 64,
        "smtp://ana:12/SECRETO@h",
    ],
)
def test_una_url_mal_escrita_para_el_arranque_sin_mostrar_la_clave(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SMTP_URL", url)
    with pytest.raises(ConfiguracionInvalida, match="SMTP_URL: ") as error:
        leer_configuracion()
    assert "SECRETO" not in "".join(traceback.format_exception(error.value)).upper()


def test_la_clave_no_aparece_al_mostrar_la_configuracion() -> None:
    configuracion = leer_configuracion(smtp="smtp://ana:SECRETO@h")
    assert configuracion.smtp is not None
    assert configuracion.smtp.clave == "SECRETO"
    assert "SECRETO" not in repr(configuracion) + str(configuracion)


@pytest.mark.parametrize(
    ("url", "esperado"),
    [
        ("smtp://h", ServidorSmtp(host="h", puerto=25)),
        ("smtps://correo_1.example.", ServidorSmtp(host="correo_1.example.", puerto=465, cifrado_desde_el_inicio=True)),
        ("smtp://LOCALHOST:1025/", ServidorSmtp(host="localhost", puerto=1025, local=True)),
        ("smtp://127.0.0.2", ServidorSmtp(host="127.0.0.2", puerto=25, local=True)),
        ("smtp://[::1]:1025", ServidorSmtp(host="::1", puerto=1025, local=True)),
        ("smtp://10.0.0.1", ServidorSmtp(host="10.0.0.1", puerto=25)),
        ("smtp://a%40b:c%3A%2F%25+d@h:587", ServidorSmtp(host="h", puerto=587, usuario="a@b", clave="c:/%+d")),
        ("smtp://ana:dos:puntos@h", ServidorSmtp(host="h", puerto=25, usuario="ana", clave="dos:puntos")),
    ],
)
def test_una_url_dice_servidor_puerto_cifrado_y_credenciales(url: str, esperado: ServidorSmtp) -> None:
    assert ServidorSmtp.desde_url(url) == esperado


@settings(deadline=None)  # una máquina ocupada no es un fallo
@given(st.text() | st.text().map("smtp://{}".format) | st.text().map("smtp://a:{}@h".format))
def test_cualquier_url_se_entiende_o_se_rechaza_con_su_error(url: str) -> None:
    with suppress(UrlSmtpInvalida):
        assert ServidorSmtp.desde_url(url).host

"""La entrega por SMTP contra servidores de verdad en loopback, sanos, enfermos y hostiles."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.unit.notificaciones.fabrica import ID_EVENTO, un_aviso

from notificaciones.cartero import CarteroNoDisponible, CorreoRechazado
from notificaciones.configuracion import cartero_de, leer_configuracion
from notificaciones.correo import componer
from notificaciones.servidor_smtp import ServidorSmtp
from notificaciones.smtp import CarteroSmtp

sin_cifrar_a_proposito = pytest.mark.filterwarnings("ignore:.*AUTH while not requiring TLS:UserWarning")
Conversacion = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Oficina:
    """Lo que un servidor responde en cada paso, y lo que recibió."""

    al_mail: str | None = None
    al_rcpt: str | None = None
    al_data: str = "250 OK"
    recibidos: list[Envelope] = field(default_factory=list)
    sesiones: list[Session] = field(default_factory=list)
    claves: list[tuple[str, str]] = field(default_factory=list)

    async def handle_MAIL(self, _s: SMTP, _t: Session, sobre: Envelope, quien: str, opciones: list[str]) -> str:  # noqa: N802 lo nombra aiosmtpd
        if self.al_mail:
            return self.al_mail
        sobre.mail_from = quien
        sobre.mail_options.extend(opciones)
        return "250 OK"

    async def handle_RCPT(self, _s: SMTP, _t: Session, sobre: Envelope, quien: str, _o: list[str]) -> str:  # noqa: N802
        if self.al_rcpt:
            return self.al_rcpt
        sobre.rcpt_tos.append(quien)
        return "250 OK"

    async def handle_DATA(self, _s: SMTP, sesion: Session, sobre: Envelope) -> str:  # noqa: N802
        if self.al_data.startswith("250"):
            self.recibidos.append(sobre)
            self.sesiones.append(sesion)
        return self.al_data

    def autenticar(self, _s: SMTP, _t: Session, _e: Envelope, _mecanismo: str, datos: Any) -> AuthResult:
        assert isinstance(datos, LoginPassword)
        usuario, clave = datos.login.decode(), datos.password.decode()
        self.claves.append((usuario, clave))
        return AuthResult(success=(usuario, clave) == ("ana@x", "c:/%ñ"), handled=False)


@asynccontextmanager
async def escuchando(
    fabrica: Callable[[], asyncio.BaseProtocol], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    servidor = await asyncio.get_running_loop().create_server(fabrica, "127.0.0.1", 0, ssl=tls)
    try:
        yield servidor.sockets[0].getsockname()[1]
    finally:
        servidor.close()
        await servidor.wait_closed()


@asynccontextmanager
async def abierta(oficina: Oficina, tls: ssl.SSLContext | None = None, **opciones: Any) -> AsyncIterator[int]:
    opciones = {"enable_SMTPUTF8": True, "hostname": "oficina.example", **opciones}
    async with escuchando(lambda: SMTP(oficina, **opciones), tls) as puerto:
        yield puerto


@asynccontextmanager
async def conversando(conversacion: Conversacion) -> AsyncIterator[int]:
    """Un servidor que dice lo que quiera, bien o mal."""
    tareas: set[asyncio.Task[None]] = set()

    async def atender(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
        tarea = asyncio.current_task()
        assert tarea is not None
        tareas.add(tarea)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await conversacion(lector, escritor)
        finally:
            escritor.close()

    servidor = await asyncio.start_server(atender, "127.0.0.1", 0)
    try:
        yield servidor.sockets[0].getsockname()[1]
    finally:
        servidor.close()
        for tarea in tareas:
            tarea.cancel()
        await asyncio.gather(*tareas, return_exceptions=True)


async def responder(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter, *respuestas: bytes) -> None:
    """Saluda con la primera respuesta y da una de las demás por cada línea que llega."""
    escritor.write(respuestas[0] + b"\r\n")
    for respuesta in respuestas[1:]:
        await lector.readline()
        escritor.write(respuesta + b"\r\n")
    await escritor.drain()


def cartero(puerto: int, **cambios: Any) -> CarteroSmtp:
    plazo_s = cambios.pop("plazo_s", 5.0)
    tls = cambios.pop("tls", None)
    servidor = ServidorSmtp(**{"host": "127.0.0.1", "puerto": puerto, "local": True, **cambios})
    return CarteroSmtp(servidor, plazo_s=plazo_s, tls=tls)


async def test_el_servidor_recibe_los_mismos_bytes_que_se_compusieron() -> None:
    oficina, correo = Oficina(), componer(un_aviso(nombre="יעל כהן", tipo="cancelada", motivo="...\r\n.\r\nSin plazas"))
    async with abierta(oficina) as puerto:
        await cartero(puerto).enviar(correo)

    [sobre] = oficina.recibidos
    assert sobre.mail_from == "no-responder@aeroalpes.example"
    assert sobre.rcpt_tos == ["ana@clientes.example"]
    assert sobre.original_content == correo.as_bytes()
    assert "SMTPUTF8" not in sobre.mail_options
    leido = message_from_bytes(sobre.original_content, policy=policy.default)
    assert leido["Message-ID"] == f"<{ID_EVENTO}@aeroalpes.example>"


async def test_la_configuracion_arma_el_cartero_que_entrega() -> None:
    oficina = Oficina()
    async with abierta(oficina) as puerto:
        await cartero_de(leer_configuracion(smtp=f"smtp://localhost:{puerto}")).enviar(componer(un_aviso()))
    assert len(oficina.recibidos) == 1


async def test_varios_correos_a_la_vez_se_entregan_todos() -> None:
    oficina = Oficina()
    async with abierta(oficina) as puerto:
        uno = cartero(puerto)
        await asyncio.gather(
            *(uno.enviar(componer(un_aviso(destinatario=f"c{n}@clientes.example"))) for n in range(20))
        )
    assert len({sobre.rcpt_tos[0] for sobre in oficina.recibidos}) == 20


async def test_un_texto_de_ocho_bits_se_convierte_y_llega_igual() -> None:
    correo = EmailMessage(policy=policy.SMTP)
    correo["From"], correo["To"] = "a@x.example", "b@x.example"
    correo.set_content("Día\r\n", cte="8bit")
    oficina = Oficina()
    async with abierta(oficina) as puerto:
        await cartero(puerto).enviar(correo)
    contenido = oficina.recibidos[0].original_content
    assert contenido is not None
    assert contenido.isascii()
    leido = message_from_bytes(contenido, policy=policy.default)
    assert isinstance(leido, EmailMessage)
    assert leido.get_content() == "Día\n"


@pytest.mark.parametrize(("cabecera", "valor"), [("To", '"a\tb"@x.example'), ("Message-ID", "<ñ@x>")])
async def test_un_correo_ajeno_que_no_se_puede_decir_en_smtp_se_rechaza(cabecera: str, valor: str) -> None:
    oficina, correo = Oficina(), componer(un_aviso())
    del correo[cabecera]
    correo[cabecera] = valor
    async with abierta(oficina) as puerto:
        with pytest.raises(CorreoRechazado, match="no se puede"):
            await cartero(puerto).enviar(correo)
    assert oficina.recibidos == []


async def test_una_direccion_fuera_de_ascii_viaja_con_smtputf8() -> None:
    oficina, correo = Oficina(), componer(un_aviso(destinatario="ñandú@correo.example", nombre="Ñandú"))
    async with abierta(oficina) as puerto:
        await cartero(puerto).enviar(correo)
    [sobre] = oficina.recibidos
    assert sobre.rcpt_tos == ["ñandú@correo.example"]
    assert "SMTPUTF8" in sobre.mail_options
    assert sobre.original_content == correo.as_bytes()


async def test_sin_smtputf8_en_el_servidor_esa_direccion_se_rechaza_con_una_frase() -> None:
    oficina = Oficina()
    async with abierta(oficina, enable_SMTPUTF8=False) as puerto:
        with pytest.raises(CorreoRechazado, match="no ofrece SMTPUTF8"):
            await cartero(puerto).enviar(componer(un_aviso(destinatario="ñandú@correo.example")))
        await cartero(puerto).enviar(componer(un_aviso(nombre="Ñandú")))
    assert len(oficina.recibidos) == 1


@pytest.mark.parametrize(
    "oficina",
    [
        Oficina(al_rcpt="550 5.1.1 No such user"),
        Oficina(al_data="554 5.6.0 Message content rejected"),
        Oficina(al_mail="552 5.3.4 Message size exceeds fixed limit"),
    ],
)
async def test_un_rechazo_de_este_correo_es_para_siempre(oficina: Oficina) -> None:
    async with abierta(oficina) as puerto:
        with pytest.raises(CorreoRechazado, match=r": 55\d 5\."):
            await cartero(puerto).enviar(componer(un_aviso()))


@pytest.mark.parametrize(
    "oficina",
    [
        Oficina(al_rcpt="450 4.2.0 Greylisted"),
        Oficina(al_rcpt="421 4.3.2 Shutting down"),
        Oficina(al_data="452 4.3.1 Insufficient storage"),
        Oficina(al_mail="451 4.3.0 Try again"),
        Oficina(al_mail="550 5.7.1 Sender not allowed"),
        Oficina(al_rcpt="530 5.7.0 Authentication required"),
        Oficina(al_data="530 5.7.0 Authentication required"),
    ],
)
async def test_un_rechazo_pasajero_o_que_no_es_de_este_correo_se_reintenta(oficina: Oficina) -> None:
    async with abierta(oficina) as puerto:
        with pytest.raises(CarteroNoDisponible, match=r": [45]\d\d [45]\."):
            await cartero(puerto).enviar(componer(un_aviso()))


async def test_con_el_servidor_caido_se_sabe_enseguida() -> None:
    with socket.socket() as reservado:
        reservado.bind(("127.0.0.1", 0))
        empezado_s = time.monotonic()
        with pytest.raises(CarteroNoDisponible):
            await cartero(reservado.getsockname()[1], plazo_s=30.0).enviar(componer(un_aviso()))
        assert time.monotonic() - empezado_s < 2


async def test_un_host_que_no_existe_se_reintenta() -> None:
    with pytest.raises(CarteroNoDisponible):
        await cartero(25, host="no-existe.invalid").enviar(componer(un_aviso()))


async def callar(lector: asyncio.StreamReader, _escritor: asyncio.StreamWriter) -> None:
    await lector.read()


async def callar_con_el_contenido(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    await responder(lector, escritor, b"220 x", b"250 x", b"250 x", b"250 x", b"354 x")
    await lector.read()


async def gotear(_lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    escritor.write(b"220-")
    while True:
        escritor.write(b"x\r\n220-")
        await escritor.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("conversacion", [callar, callar_con_el_contenido, gotear])
async def test_un_servidor_colgado_se_abandona_dentro_del_plazo(conversacion: Conversacion) -> None:
    async with conversando(conversacion) as puerto:
        empezado_s = time.monotonic()
        with pytest.raises(CarteroNoDisponible, match=r"no respondió en 0\.4 s"):
            await cartero(puerto, plazo_s=0.4).enviar(componer(un_aviso()))
        assert time.monotonic() - empezado_s < 2


async def colgar(_lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    escritor.close()


async def colgar_tras_el_contenido(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    await responder(lector, escritor, b"220 x", b"250 x", b"250 x", b"250 x", b"354 x")
    await lector.readuntil(b"\r\n.\r\n")


async def decir_basura(_lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    escritor.write(b"\x00\xff\xfe\x1b[31m basura\r\n")
    await escritor.drain()


async def no_terminar_nunca_la_linea(_lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    while True:
        escritor.write(b"2" * 65536)
        await escritor.drain()


async def saludar_con_un_5xx(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    await responder(lector, escritor, b"554 5.7.1 Go away")


@pytest.mark.parametrize(
    "conversacion",
    [colgar, colgar_tras_el_contenido, decir_basura, no_terminar_nunca_la_linea, saludar_con_un_5xx],
)
async def test_un_servidor_que_corta_o_dice_basura_se_reintenta(conversacion: Conversacion) -> None:
    async with conversando(conversacion) as puerto:
        with pytest.raises(CarteroNoDisponible) as error:
            await cartero(puerto).enviar(componer(un_aviso()))
        assert str(error.value).isprintable()


async def callar_tras_aceptar(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    await responder(lector, escritor, b"220 x", b"250 x", b"250 x", b"250 x", b"354 x")
    await lector.readuntil(b"\r\n.\r\n")
    escritor.write(b"250 x\r\n")
    await lector.read()


async def cortar_tras_aceptar(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
    await responder(lector, escritor, b"220 x", b"250 x", b"250 x", b"250 x", b"354 x")
    await lector.readuntil(b"\r\n.\r\n")
    escritor.write(b"250 x\r\n")


@pytest.mark.parametrize("conversacion", [callar_tras_aceptar, cortar_tras_aceptar])
async def test_lo_que_pase_tras_la_aceptacion_no_hace_repetir_el_correo(conversacion: Conversacion) -> None:
    async with conversando(conversacion) as puerto:
        await cartero(puerto).enviar(componer(un_aviso()))


async def test_un_apagado_a_media_entrega_suelta_la_conexion_enseguida() -> None:
    cerrada = asyncio.Event()

    async def esperar_el_cierre(lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
        await responder(lector, escritor, b"220 x", b"250 x")
        llegado.set()
        await lector.read()
        cerrada.set()

    llegado = asyncio.Event()
    async with conversando(esperar_el_cierre) as puerto:
        tarea = asyncio.create_task(cartero(puerto, plazo_s=30).enviar(componer(un_aviso())))
        await asyncio.wait_for(llegado.wait(), 5)
        # Con la respuesta del servidor recién llegada, que es cuando una cancelación se puede perder.
        tarea.cancel()
        cancelado_s = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await tarea
        await asyncio.wait_for(cerrada.wait(), 5)
        assert time.monotonic() - cancelado_s < 5


@pytest.fixture(scope="module")
def autoridad() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_servidor(autoridad: trustme.CA) -> ssl.SSLContext:
    contexto = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    autoridad.issue_cert("127.0.0.1").configure_cert(contexto)
    return contexto


@pytest.fixture
def tls_cliente(autoridad: trustme.CA) -> ssl.SSLContext:
    contexto = ssl.create_default_context()
    autoridad.configure_trust(contexto)
    return contexto


async def test_starttls_se_usa_cuando_se_ofrece(tls_servidor: ssl.SSLContext, tls_cliente: ssl.SSLContext) -> None:
    oficina = Oficina()
    async with abierta(oficina, tls_context=tls_servidor) as puerto:
        await cartero(puerto, local=False, tls=tls_cliente).enviar(componer(un_aviso()))
    assert oficina.sesiones[0].ssl is not None


async def test_smtps_cifra_desde_el_primer_byte(tls_servidor: ssl.SSLContext, tls_cliente: ssl.SSLContext) -> None:
    oficina = Oficina()
    async with abierta(oficina, tls_servidor) as puerto:
        uno = cartero(puerto, local=False, cifrado_desde_el_inicio=True, tls=tls_cliente)
        await uno.enviar(componer(un_aviso()))
    assert len(oficina.recibidos) == 1


@pytest.mark.parametrize("desde_el_inicio", [False, True])
async def test_un_certificado_desconocido_no_se_acepta_salvo_en_esta_maquina(
    tls_servidor: ssl.SSLContext, desde_el_inicio: bool
) -> None:
    oficina = Oficina()
    de_entrada, ofrecido = (tls_servidor, None) if desde_el_inicio else (None, tls_servidor)
    async with abierta(oficina, de_entrada, tls_context=ofrecido) as puerto:
        ajeno = cartero(puerto, local=False, cifrado_desde_el_inicio=desde_el_inicio)
        with pytest.raises(CarteroNoDisponible, match="certificate"):
            await ajeno.enviar(componer(un_aviso()))
        assert oficina.recibidos == []
        await cartero(puerto, cifrado_desde_el_inicio=desde_el_inicio).enviar(componer(un_aviso()))
    assert len(oficina.recibidos) == 1


@sin_cifrar_a_proposito
async def test_un_servidor_que_ya_no_cifra_no_recibe_la_clave() -> None:
    oficina = Oficina()
    con_clave: dict[str, Any] = {"authenticator": oficina.autenticar, "auth_require_tls": False, "auth_required": True}
    async with abierta(oficina, **con_clave) as puerto:
        with pytest.raises(CarteroNoDisponible, match="no se manda sin cifrar"):
            await cartero(puerto, local=False, usuario="ana@x", clave="c:/%ñ").enviar(componer(un_aviso()))
    assert oficina.claves == []


@sin_cifrar_a_proposito
async def test_la_clave_de_la_url_abre_el_servidor_y_una_mala_se_reintenta_sin_mostrarse() -> None:
    oficina = Oficina()
    con_clave: dict[str, Any] = {"authenticator": oficina.autenticar, "auth_require_tls": False, "auth_required": True}
    async with abierta(oficina, **con_clave) as puerto:
        buena = f"smtp://ana%40x:c%3A%2F%25%C3%B1@127.0.0.1:{puerto}"
        await cartero_de(leer_configuracion(smtp=buena)).enviar(componer(un_aviso()))
        mala = f"smtp://ana%40x:SECRETO@127.0.0.1:{puerto}"
        with pytest.raises(CarteroNoDisponible, match="usuario o la clave de SMTP_URL: 535") as error:
            await cartero_de(leer_configuracion(smtp=mala)).enviar(componer(un_aviso()))
        with pytest.raises(CarteroNoDisponible, match="530"):
            await cartero(puerto).enviar(componer(un_aviso()))

    assert len(oficina.recibidos) == 1
    assert oficina.claves[0] == ("ana@x", "c:/%ñ")
    assert "SECRETO" not in str(error.value)


async def test_con_clave_por_starttls_la_clave_viaja_cifrada(
    tls_servidor: ssl.SSLContext, tls_cliente: ssl.SSLContext
) -> None:
    oficina = Oficina()
    async with abierta(oficina, tls_context=tls_servidor, authenticator=oficina.autenticar) as puerto:
        uno = cartero(puerto, local=False, usuario="ana@x", clave="c:/%ñ", tls=tls_cliente)
        await uno.enviar(componer(un_aviso()))
    assert oficina.sesiones[0].ssl is not None
    assert oficina.sesiones[0].authenticated

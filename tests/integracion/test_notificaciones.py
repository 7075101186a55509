"""El proceso de notificaciones entero, sobre el broker embebido y un servidor SMTP de verdad."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.e2e.oficina import Oficina, abierta
from tests.e2e.suite import DESTINATARIO, SuiteReal
from tests.integracion.eventos_reserva import aprobada, conectado, creada
from tests.procesos import RAIZ, Proceso, hasta, puerto_libre

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos
from seedwork.infraestructura.brokers import LetraMuerta, Mensaje
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.schema.v1.mensajes import sobre

SUSCRIPCION = "sub-notificacion-eventos-reservas"


class Oficio:
    """Un proceso que sirve a varias pruebas, y el servidor SMTP en que entrega, que cada una abre cuando quiere."""

    def __init__(self, suite: SuiteReal, oficina: Oficina) -> None:
        self.suite = suite
        self.oficina = oficina
        self.proceso = suite.arrancar("notificaciones")

    def atender(self) -> None:
        hasta(lambda: self.suite.atendido(SUSCRIPCION), "se atendiera todo")


@pytest.fixture(scope="module")
def en_marcha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oficio]:
    oficina = Oficina()
    oficina.puerto = puerto_libre()
    with SuiteReal(tmp_path_factory.mktemp("notificaciones"), SMTP_URL=oficina.url) as suite:
        yield Oficio(suite, oficina)


@pytest.fixture
def oficio(en_marcha: Oficio) -> Oficio:
    en_marcha.oficina.recibidos.clear()
    en_marcha.oficina.al_recibir = lambda _: "250 OK"
    return en_marcha


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[SuiteReal]:
    with SuiteReal(tmp_path) as suite:
        yield suite


def publicar(suite: SuiteReal, *mensajes: Mensaje) -> None:
    async def poner() -> None:
        async with conectado(suite.broker) as broker:
            await broker.publicar(mensajes)

    asyncio.run(poner())


def letras(suite: SuiteReal) -> list[LetraMuerta]:
    async def listar() -> list[LetraMuerta]:
        async with conectado(suite.broker) as broker:
            return await broker.letras_muertas.listar(SUSCRIPCION)

    return asyncio.run(listar())


def enviados(suite: SuiteReal) -> list[str]:
    """De qué reserva es cada `correo.enviado` que se publicó."""
    filas = suite.consultar(
        "SELECT m.clave FROM mensajes m JOIN topicos t ON t.id=m.topico WHERE t.nombre='correo.enviado'"
    )
    return [clave for (clave,) in filas]


def identidad(mensaje: Mensaje) -> str:
    return f"<{mensaje.cabeceras['id']}@aeroalpes.example>"


def es_de(correo: EmailMessage, mensaje: Mensaje) -> bool:
    return str(mensaje.clave)[:8] in str(correo["Subject"])


@pytest.mark.capacidad("A10")
def test_cada_evento_es_un_correo_aunque_se_entregue_dos_veces_y_entre_basura(oficio: Oficio) -> None:
    primero, segundo, tercero = creada(), creada(), creada()
    basura = replace(primero, cuerpo=b"\xff\x00", cabeceras={**primero.cabeceras, "id": str(uuid4())})
    sin_sobre = replace(segundo, cuerpo=b"{}", cabeceras={"id": "x", "datacontenttype": "application/json"})
    with abierta(oficio.oficina):
        publicar(oficio.suite, primero, primero, basura, sin_sobre, segundo, _sin_fecha())
        oficio.atender()
        publicar(oficio.suite, primero, tercero, segundo)
        oficio.atender()
    recibidos = oficio.oficina.recibidos
    assert Counter(oficio.oficina.identidades) == Counter(map(identidad, (primero, segundo, tercero)))
    assert {(correo["To"], correo["Content-Language"]) for correo in recibidos} == {(DESTINATARIO, "es")}
    texto = next(correo for correo in recibidos if es_de(correo, primero)).get_body(("plain",))
    assert texto is not None
    assert str(primero.clave) in texto.get_content()
    assert {letra.mensaje.cuerpo for letra in letras(oficio.suite)} >= {b"\xff\x00", b"{}"}
    assert "Traceback" not in oficio.proceso.salida


def test_con_el_servidor_caido_los_correos_esperan_y_salen_todos_cuando_vuelve(oficio: Oficio) -> None:
    todos = [creada() for _ in range(12)]
    fallos = oficio.proceso.salida.count("no está disponible")
    publicar(oficio.suite, *todos)
    oficio.proceso.espera_texto("no está disponible", veces=fallos + 12)
    with abierta(oficio.oficina):
        oficio.atender()
    assert Counter(oficio.oficina.identidades) == Counter(map(identidad, todos))


def test_lo_que_el_servidor_rechaza_va_a_las_letras_muertas_y_lo_que_aplaza_espera_sin_frenar_a_nadie(
    oficio: Oficio,
) -> None:
    rechazada, aplazada, corriente = creada(), creada(), creada()
    detras = aprobada(UUID(aplazada.clave))
    despues = aprobada(UUID(rechazada.clave))
    plazo_cumplido = threading.Event()

    def responder(correo: EmailMessage) -> str:
        if str(correo["Message-ID"]) == identidad(rechazada):
            return "550 5.7.1 ese buzon no existe"
        return "450 4.2.0 vuelva luego" if es_de(correo, aplazada) and not plazo_cumplido.is_set() else "250 OK"

    oficio.oficina.al_recibir = responder
    with abierta(oficio.oficina):
        publicar(oficio.suite, aplazada, rechazada, detras, despues, corriente)
        hasta(lambda: len(oficio.oficina.recibidos) == 2, "salieran los demás")
        oficio.proceso.espera_texto("vuelva luego")
        assert set(oficio.oficina.identidades) == {identidad(despues), identidad(corriente)}
        (letra,) = [letra for letra in letras(oficio.suite) if letra.mensaje == rechazada]
        assert "550 5.7.1 ese buzon no existe" in letra.motivo
        plazo_cumplido.set()
        oficio.atender()
    assert oficio.oficina.identidades[2:] == [identidad(aplazada), identidad(detras)]


def test_dos_procesos_sobre_los_mismos_datos_mandan_un_correo_por_evento_y_lo_anuncian_una_vez(oficio: Oficio) -> None:
    todos = [creada() for _ in range(40)]
    otro = oficio.suite.arrancar("notificaciones")
    with abierta(oficio.oficina):
        publicar(oficio.suite, *[evento for evento in todos for _ in range(2)])
        oficio.atender()
    assert Counter(oficio.oficina.identidades) == Counter(map(identidad, todos))
    hasta(lambda: {e.clave for e in todos} <= set(enviados(oficio.suite)), "se anunciaran")
    assert set(Counter(enviados(oficio.suite)).values()) <= {1, 2}, "sólo una reserva aprobada tiene dos correos"
    assert otro.parar() == 0
    assert oficio.suite.consultar("SELECT count(*) FROM consumidores") == [(2,)], "los del proceso que queda"


@pytest.mark.parametrize("por", ["smtp", "buzon"])
def test_morir_entre_enviar_y_anotar_repite_la_misma_identidad(suite: SuiteReal, por: str) -> None:
    with abierta() as oficina:
        proceso = suite.arrancar("notificaciones", SMTP_URL=oficina.url if por == "smtp" else "")
        evento = creada()
        base = sqlite3.connect(suite.datos / "notificaciones.db", timeout=30, isolation_level=None)
        # Lo enviado no se puede anotar: entre lo uno y lo otro hay ahora todo el tiempo que haga falta.
        base.execute("CREATE TRIGGER no BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'no se anota'); END")
        publicar(suite, evento)
        proceso.espera_texto("no se anota")
        proceso.matar()
        base.execute("DROP TRIGGER no")
        base.close()
        if por == "buzon":
            suite.dar_por_muertos()  # por smtp se espera de verdad a que pase su vida

        suite.arrancar("notificaciones", SMTP_URL=oficina.url if por == "smtp" else "")
        hasta(lambda: suite.atendido(SUSCRIPCION), "se atendiera el evento", 40)
        hasta(lambda: enviados(suite), "se anunciara")
    assert enviados(suite) == [evento.clave]
    if por == "smtp":
        assert len(oficina.recibidos) >= 2
        assert len({correo.as_bytes() for correo in oficina.recibidos}) == 1
        assert oficina.identidades[0] == identidad(evento)
    else:
        assert [archivo.stem for archivo in suite.buzon] == [evento.cabeceras["id"]]


def test_sigterm_con_un_servidor_que_no_contesta_sale_con_cero_y_deja_el_correo_a_otro(suite: SuiteReal) -> None:
    with socket.socket() as mudo:
        mudo.bind(("127.0.0.1", 0))
        mudo.listen()
        mudo.settimeout(30)
        proceso = suite.arrancar("notificaciones", SMTP_URL=f"smtp://127.0.0.1:{mudo.getsockname()[1]}")
        publicar(suite, creada())
        with mudo.accept()[0]:
            assert proceso.parar() == 0
    assert "Traceback" not in proceso.salida
    assert suite.consultar("SELECT dueno FROM entregas") == [(None,)]
    assert suite.consultar("SELECT * FROM consumidores") == []


CASOS = """
import io, json, os, runpy, sys
from contextlib import redirect_stderr
for dice, variables in json.loads(sys.argv[1]).items():
    os.environ.update(variables)
    with redirect_stderr(io.StringIO()) as errores:
        try:
            runpy.run_path("src/notificaciones/main.py", run_name="__main__")
        except SystemExit as salida:
            print(json.dumps([dice, salida.code, errores.getvalue()]))
    for variable in variables:
        del os.environ[variable]
"""


def test_una_configuracion_que_no_sirve_es_una_frase_y_codigo_uno(tmp_path: Path) -> None:
    archivo = tmp_path / "archivo"
    archivo.touch()
    casos = {
        "SMTP_URL": {"SMTP_URL": "ftp://correo.example"},
        "NOTIFICACIONES_DESTINATARIO": {"NOTIFICACIONES_DESTINATARIO": "nadie"},
        f"{archivo}/buzon": {"AEROALPES_DATOS": str(archivo)},
        "notificaciones.db": {"AEROALPES_DATOS": str(archivo), "SMTP_URL": "smtp://127.0.0.1"},
        "nats://": {"BROKER_URL": "nats://127.0.0.1:4222"},
        "REDIS_URL": {"REDIS_URL": "redis://127.0.0.1", "RABBITMQ_URL": "amqp://127.0.0.1"},
    }
    datos = {"AEROALPES_DATOS": str(tmp_path / "datos")}
    entrada = json.dumps({dice: datos | variables for dice, variables in casos.items()})
    proceso = Proceso([sys.executable, "-c", CASOS, entrada], {}, tmp_path / "salida", RAIZ)
    assert proceso.termina(60) == 0, proceso.salida
    resultados = [json.loads(linea) for linea in proceso.salida.splitlines()]
    assert [dice for dice, _, _ in resultados] == list(casos)
    for dice, codigo, errores in resultados:
        frases = [linea for linea in errores.splitlines() if "alembic" not in linea]
        assert (codigo, len(frases)) == (1, 1), errores
        assert dice in frases[0]


def _sin_fecha() -> Mensaje:
    """Un evento bien formado cuya fecha no cabe en ningún calendario."""
    id_reserva = str(uuid4())
    variante = eventos.ReservaCreada(id_reserva=id_reserva, estado="PENDIENTE", fecha_creacion=0)
    registro = eventos.EventosReserva(**sobre("ReservaCreada", "pruebas", time=2**62), reserva_creada=variante)
    return codificar(registro, topico=eventos.TOPICO, servicio="pruebas", clave=id_reserva, fecha=datetime.now(UTC))

"""Lo propio de Pulsar: su URL, lo ajeno, lo que ve un cliente cualquiera, y el estado que aquí se le añade."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pulsar
import pytest
from tests.contratos.banco import Banco, cuerpos, mensajes, tomar
from tests.procesos import RAIZ, Proceso

from seedwork.infraestructura.brokers import BrokerCerrado, BrokerNoDisponible, Mensaje, URLBrokerInvalida, conectar
from seedwork.infraestructura.brokers.pulsar import estado
from seedwork.infraestructura.brokers.pulsar import letras as letras_pulsar
from seedwork.infraestructura.brokers.pulsar.cliente import PLAZO_CIERRE_S
from seedwork.infraestructura.brokers.pulsar.direccion import leer_url


@pytest.mark.parametrize(
    "url",
    [
        "pulsar://",
        "pulsar://h:no",
        "pulsar://h/solo",
        "pulsar://h/a/b/c",
        "pulsar://h?otra=1",
        "pulsar://h?admin=ftp",
        "pulsar://@h",
        "pulsar://solo-usuario@h",
        "pulsar://h?ca=x.pem",
        "pulsar+ssl://h?ca=",
    ],
)
def test_una_url_que_no_se_entiende_se_dice(url: str) -> None:
    with pytest.raises(URLBrokerInvalida, match=r"no es un broker de Pulsar: use pulsar://"):
        conectar(url)


def test_la_url_dice_el_namespace_y_la_administracion() -> None:
    direccion = leer_url("pulsar://h:1/t/n?admin=http://a:2/")

    assert (direccion.servicio, direccion.admin) == ("pulsar://h:1", "http://a:2")
    assert direccion.topico("a.b") == "persistent://t/n/a.b"
    assert leer_url("pulsar://h").espacio == "public/default"
    assert leer_url("pulsar://h").acceso is None


def test_la_url_lleva_el_acceso_y_no_se_ensena() -> None:
    cifrada = leer_url("pulsar+ssl://:secreto@h?ca=/a/ca.pem")

    assert (cifrada.servicio, cifrada.admin, cifrada.ca) == ("pulsar+ssl://h:6651", "https://h:8443", "/a/ca.pem")
    assert cifrada.acceso == ("token", "secreto")
    assert leer_url("pulsar://u:p%40@h").acceso == ("basic", "u:p@")
    assert "secreto" not in repr(cifrada)
    with pytest.raises(URLBrokerInvalida) as error:
        leer_url("pulsar://:secreto@h?otra=1")
    assert "secreto" not in str(error.value)


async def test_sin_broker_publicar_y_suscribir_lo_dicen_en_su_plazo() -> None:
    with socket.socket() as libre:
        libre.bind(("127.0.0.1", 0))
        puerto = libre.getsockname()[1]
    broker = conectar(f"pulsar://127.0.0.1:{puerto}?admin=http://127.0.0.1:{puerto}")
    empezo = time.monotonic()

    with pytest.raises(BrokerNoDisponible, match=str(puerto)):
        await broker.publicar(mensajes("a.b", 1))

    assert time.monotonic() - empezo < 11
    await broker.cerrar()
    assert time.monotonic() - empezo < 20


@pytest.fixture
def mudo() -> Iterator[str]:
    """La URL de un servidor que acepta conexiones y nunca contesta."""
    with socket.create_server(("127.0.0.1", 0)) as servidor:
        direccion = f"127.0.0.1:{servidor.getsockname()[1]}"
        yield f"pulsar://{direccion}?admin=http://{direccion}"


async def test_ante_un_broker_colgado_se_cierra_en_su_plazo_aunque_todos_los_hilos_lo_esperen(mudo: str) -> None:
    broker = conectar(mudo)
    enviando = [asyncio.create_task(broker.publicar(mensajes(f"a.b{i}", 1))) for i in range(12)]
    await asyncio.sleep(0.2)
    empezo = time.monotonic()
    await broker.cerrar()

    assert time.monotonic() - empezo < PLAZO_CIERRE_S + 0.5
    fallos = await asyncio.gather(*enviando, return_exceptions=True)
    assert {type(fallo) for fallo in fallos} == {BrokerCerrado}


async def test_ante_un_broker_colgado_un_trabajador_para_en_lo_que_da_un_contenedor(mudo: str, tmp_path: Path) -> None:
    orden = [sys.executable, "-m", "tests.contratos.trabajador", mudo, "colgado", "a.b", str(tmp_path / "diario")]
    trabajador = Proceso(orden, {"PYTHONPATH": f"{RAIZ}/src"}, tmp_path / "salida", RAIZ)
    try:
        await asyncio.to_thread(trabajador.espera_texto, "sin_broker")
        assert await asyncio.to_thread(trabajador.parar, plazo_s=8) == 0
    finally:
        trabajador.matar()


async def test_un_cliente_cualquiera_ve_la_clave_y_los_atributos_de_cloudevents(
    banco: Banco, ajeno: pulsar.Client
) -> None:
    consumidor = ajeno.subscribe(banco.topico(), "ajena", initial_position=pulsar.InitialPosition.Earliest)
    cabeceras = {"id": "7", "type": "creado", "datacontenttype": "application/json"}
    await banco.broker().publicar([Mensaje(topico=banco.topico(), cuerpo=b"{}", clave="k", cabeceras=cabeceras)])

    visto = await asyncio.to_thread(consumidor.receive, 10_000)
    assert (visto.partition_key(), visto.data()) == ("k", b"{}")
    assert visto.properties() == {"ce_id": "7", "ce_type": "creado", "content-type": "application/json"}


async def test_lo_ajeno_llega_con_lo_que_traiga(banco: Banco, ajeno: pulsar.Client) -> None:
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [banco.topico()])
    productor = ajeno.create_producer(banco.topico())
    await asyncio.to_thread(productor.send, b"a secas")
    await asyncio.to_thread(productor.send, b"con", {"ce_id": "1", "x": "2"}, "k")

    entregas = await tomar(suscripcion, 2)
    por_cuerpo = {e.mensaje.cuerpo: (e.mensaje.clave, e.mensaje.cabeceras) for e in entregas}
    assert por_cuerpo == {b"a secas": (None, {}), b"con": ("k", {"id": "1", "x": "2"})}


async def test_los_intentos_sobreviven_a_que_se_resuma_el_estado(banco: Banco, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estado, "_RESUMEN_CADA", 2)
    topico, nombre = banco.topico(), banco.suscripcion()
    suscripcion = await banco.broker().suscribir(nombre, [topico])
    await banco.broker().publicar(mensajes(topico, 1, "k"))
    [entrega] = await tomar(suscripcion, 1)
    for _ in range(3):
        await suscripcion.iniciar(entrega)
    otro = await banco.broker().suscribir(nombre, [topico])
    for _ in range(9):  # de sobra para que lo contado quede antes de donde empieza a leer quien llega
        await otro._estado.tomar(())  # type: ignore[attr-defined]
    await otro.cerrar()
    await suscripcion.cerrar()

    llegado = await banco.broker().suscribir(nombre, [topico])
    [vuelta] = await tomar(llegado, 1)
    assert (vuelta.intentos, vuelta.sospechosa) == (3, False)
    assert llegado._estado._resumido is not None  # type: ignore[attr-defined]


async def test_lo_que_falta_por_dar_no_crece_con_lo_pendiente(banco: Banco) -> None:
    topico = banco.topico()
    await banco.broker().publicar(mensajes(topico, 6_000, "k"))
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [topico])
    tomadas = await tomar(suscripcion, 1)

    await asyncio.sleep(0.5)
    assert len(suscripcion._reserva.tengo) < 3_000  # type: ignore[attr-defined]
    await suscripcion.confirmar(tomadas)
    vistos = cuerpos(tomadas)
    while len(vistos) < 6_000:
        entregas = await suscripcion.recibir(500)
        vistos += cuerpos(entregas)
        await suscripcion.confirmar(entregas)
    assert vistos == [str(i) for i in range(6_000)]


async def test_una_suscripcion_puede_llamarse_como_sea(banco: Banco) -> None:
    nombre = f"año/{uuid.uuid4().hex} ~"
    suscripcion = await banco.broker().suscribir(nombre, [banco.topico()])
    await banco.broker().publicar(mensajes(banco.topico(), 1))
    [entrega] = await tomar(suscripcion, 1)
    await suscripcion.desechar(entrega, "no")

    [letra] = await banco.broker().letras_muertas.listar(nombre)
    assert await banco.broker().letras_muertas.descartar(letra.id)


async def test_un_broker_creado_antes_de_un_fork_se_puede_usar_despues(banco: Banco) -> None:
    guion = (
        "import asyncio, os, sys\n"
        "from seedwork.infraestructura.brokers import Mensaje, conectar\n"
        "broker = conectar(sys.argv[1])\n"
        "async def main():\n"
        "    await broker.publicar([Mensaje(topico=sys.argv[2], cuerpo=b'x')])\n"
        "    await broker.cerrar()\n"
        "hijo = os.fork()\n"
        "asyncio.run(main())\n"
        "sys.exit(os.waitpid(hijo, 0)[1] if hijo else 0)\n"
    )
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [banco.topico()])
    hecho = await asyncio.create_subprocess_exec(
        sys.executable, "-c", guion, banco.url, banco.topico(), env={**os.environ, "PYTHONPATH": f"{RAIZ}/src"}
    )

    async with asyncio.timeout(60):
        assert await hecho.wait() == 0
    assert cuerpos(await tomar(suscripcion, 2)) == ["x", "x"]


async def test_las_letras_muertas_estan_retenidas_por_una_suscripcion(banco: Banco, ajeno: pulsar.Client) -> None:
    nombre, broker = banco.suscripcion(), banco.broker()
    suscripcion = await broker.suscribir(nombre, [banco.topico()])
    await broker.publicar(mensajes(banco.topico(), 1))
    await suscripcion.desechar((await tomar(suscripcion, 1))[0], "no")
    topico = leer_url(banco.url).letras_muertas
    retenida = await asyncio.to_thread(
        lambda: ajeno.subscribe(topico, letras_pulsar.ESPERAN, pulsar.ConsumerType.Shared)
    )
    propias = set()
    async with asyncio.timeout(30):
        while nombre not in propias:
            recibido = await asyncio.to_thread(retenida.receive, 10_000)
            propias.add(recibido.properties().get("seedwork-suscripcion"))
    retenida.close()
    [letra] = await broker.letras_muertas.listar(nombre)
    assert await broker.letras_muertas.descartar(letra.id)

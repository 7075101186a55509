"""Lo que es propio de Kafka: cómo viaja un mensaje, lo ajeno, y lo que se guarda con cada posición."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from hypothesis import given
from hypothesis import strategies as st
from tests.contratos.banco import Banco, cuerpos, mensajes, nada, tomar
from tests.contratos.banco_kafka import url_de_kafka
from tests.procesos import RAIZ

from seedwork.infraestructura.brokers import (
    Mensaje,
    MensajeNoPublicable,
    Suscripcion,
    URLBrokerInvalida,
    conectar,
)
from seedwork.infraestructura.brokers.kafka import asiento, cabeceras, cliente, nombres
from seedwork.infraestructura.brokers.kafka.cliente import TAMANO_MAXIMO
from seedwork.infraestructura.brokers.kafka.reparto import ANOTADAS_MAXIMO

QUITAN_EL_ESTADO = {"close", "consume", "list_groups", "list_topics", "poll"}


@pytest.fixture
async def banco() -> AsyncIterator[Banco]:
    banco = Banco(url_de_kafka(), vida_s=12, tamano_maximo=TAMANO_MAXIMO)
    yield banco
    await banco.cerrar()


def _servidores(banco: Banco) -> str:
    return banco.url.removeprefix("kafka://")


def _producir(banco: Banco, *argumentos: Any, **opciones: Any) -> None:
    productor = Producer({"bootstrap.servers": _servidores(banco)})
    productor.produce(*argumentos, **opciones)
    assert productor.flush(10) == 0


def _leer_bruto(banco: Banco, topico: str, particiones: int = 4) -> Any:
    consumidor = Consumer({"bootstrap.servers": _servidores(banco), "group.id": uuid.uuid4().hex})
    consumidor.assign([TopicPartition(topico, n, 0) for n in range(particiones)])
    bruto = consumidor.poll(10)
    consumidor.close()
    return bruto


def _terminado(banco: Banco, grupo: str, topico: str, particiones: int = 4) -> int:
    """Cuántos mensajes dan por terminados las posiciones guardadas."""
    consumidor = Consumer({"bootstrap.servers": _servidores(banco), "group.id": grupo})
    guardadas = consumidor.committed([TopicPartition(topico, n) for n in range(particiones)], timeout=10)
    consumidor.close()
    return sum(max(0, guardada.offset) for guardada in guardadas)


# --- cómo viaja -----------------------------------------------------------------------------------------------------


async def test_los_atributos_de_cloudevents_viajan_en_el_modo_binario_de_kafka(banco: Banco) -> None:
    topico = banco.topico()
    enviado = {"id": "7", "specversion": "1.0", "datacontenttype": "application/json", "X-Otra": "sí"}
    await banco.broker().publicar([Mensaje(topico=topico, cuerpo=b"{}", clave="k", cabeceras=enviado)])

    bruto = await asyncio.to_thread(_leer_bruto, banco, topico)

    assert bruto.key() == b"k"
    assert dict(bruto.headers()) == {
        "ce_id": b"7",
        "ce_specversion": b"1.0",
        "content-type": b"application/json",
        "X-Otra": "sí".encode(),
    }


async def test_un_cloudevent_ajeno_se_entiende(banco: Banco) -> None:
    topico = banco.topico()
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [topico])
    ajenas = [("ce_id", b"9"), ("ce_type", b"t"), ("content-type", b"text/plain"), ("suelta", b"x")]
    await asyncio.to_thread(_producir, banco, topico, b"hola", "k", headers=ajenas)

    [entrega] = await tomar(suscripcion, 1)
    esperadas = {"id": "9", "type": "t", "datacontenttype": "text/plain", "suelta": "x"}
    assert entrega.mensaje == Mensaje(topico=topico, cuerpo=b"hola", clave="k", cabeceras=esperadas)


async def test_lo_ajeno_sin_cabeceras_ni_cuerpo_ni_clave_legible_tambien_se_entrega_y_se_aparta(banco: Banco) -> None:
    topico = banco.topico()
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [topico])
    await asyncio.to_thread(_producir, banco, topico, None, b"\xff\x00", headers=[("nula", None), ("mala", b"\xfe")])

    [entrega] = await tomar(suscripcion, 1)
    assert (entrega.mensaje.cuerpo, entrega.mensaje.clave) == (b"", "\\xff\x00")
    assert entrega.mensaje.cabeceras == {"nula": "", "mala": "\\xfe"}
    await suscripcion.desechar(entrega, "no se entiende")
    [letra] = await banco.broker().letras_muertas.listar(banco.suscripcion())
    assert letra.mensaje == entrega.mensaje


_TEXTO = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.dictionaries(_TEXTO | st.sampled_from(["ce_id", "content-type", "datacontenttype", "x-seedwork-a"]), _TEXTO))
def test_cualquier_cabecera_va_y_vuelve(propias: dict[str, str]) -> None:
    brutas = cabeceras.a_kafka(propias)

    assert cabeceras.de_kafka(brutas) == propias
    assert all(nombre and "\x00" not in nombre for nombre, _ in brutas)


async def test_muchas_claves_y_cabeceras_en_varias_particiones_llegan_todas(banco: Banco) -> None:
    topico = banco.topico()
    enviados = [
        Mensaje(topico=topico, cuerpo=bytes([i]), clave=clave, cabeceras={"\x00ñ": "\x00", "": str(i)})
        for i, clave in enumerate(["", "a", "ñ\x00", None, "日本", "b", None, ""])
    ]
    await banco.broker().publicar(enviados)

    recibidas = await tomar(await banco.broker().suscribir(banco.suscripcion(), [topico]), len(enviados))

    assert sorted((e.mensaje for e in recibidas), key=lambda m: m.cuerpo) == enviados


async def test_lo_que_no_cabe_en_un_topico_ajeno_no_publica_nada_del_lote(banco: Banco) -> None:
    topico = banco.topico()
    admin = AdminClient({"bootstrap.servers": _servidores(banco)})
    futuros = admin.create_topics([NewTopic(topico, 1, 1, config={"max.message.bytes": "1000000"})])
    await asyncio.to_thread(futuros[topico].result)
    grande = Mensaje(topico=topico, cuerpo=bytes(1_000_000))

    with pytest.raises(MensajeNoPublicable, match="1000000") as error:
        await banco.broker().publicar([*mensajes(topico, 1), grande])

    assert error.value.mensaje is grande
    assert await nada(await banco.broker().suscribir(banco.suscripcion(), [topico]))


# --- lo que se guarda -----------------------------------------------------------------------------------------------


async def test_lo_terminado_fuera_de_orden_no_vuelve_cuando_la_particion_pasa_a_otro(banco: Banco) -> None:
    topico, nombre = banco.topico(), banco.suscripcion()
    uno = await banco.broker().suscribir(nombre, [topico])
    await banco.broker().publicar(mensajes(topico, 6, "k"))
    entregas = await tomar(uno, 6)
    await uno.confirmar([entregas[1], entregas[2], entregas[4]])
    assert await asyncio.to_thread(_terminado, banco, nombre, topico) == 0
    await uno.devolver([entregas[0], entregas[3], entregas[5]])
    await uno.cerrar()

    vuelven = await tomar(await banco.broker().suscribir(nombre, [topico]), 3)
    assert cuerpos(vuelven) == ["0", "3", "5"]
    assert not any(entrega.sospechosa for entrega in vuelven)


async def test_una_espera_sobrevive_a_que_la_particion_pase_a_otro(banco: Banco) -> None:
    topico, nombre = banco.topico(), banco.suscripcion()
    uno = await banco.broker().suscribir(nombre, [topico])
    await banco.broker().publicar(mensajes(topico, 1, "k"))
    [entrega] = await tomar(uno, 1)
    empezo = time.monotonic()
    await uno.reintentar(entrega, 2)
    await uno.cerrar()

    [vuelta] = await tomar(await banco.broker().suscribir(nombre, [topico]), 1)
    assert 1.9 <= time.monotonic() - empezo <= 3
    assert (vuelta.intentos, vuelta.sospechosa) == (1, False)


async def test_mas_esperas_de_las_que_caben_se_van_al_topico_de_reintentos_y_vuelven_todas(banco: Banco) -> None:
    topico, cuantas = banco.topico(), 4 * ANOTADAS_MAXIMO
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [topico])
    await banco.broker().publicar(mensajes(topico, cuantas, "k"))
    for entrega in await tomar(suscripcion, cuantas):
        await suscripcion.reintentar(entrega, 1)

    vuelven = await tomar(suscripcion, cuantas)
    assert Counter(cuerpos(vuelven)) == Counter(str(i) for i in range(cuantas))
    assert {(e.intentos, e.mensaje.topico, e.mensaje.clave) for e in vuelven} == {(1, topico, "k")}
    await suscripcion.confirmar(vuelven)
    assert await nada(suscripcion)


async def test_una_clave_no_esta_en_dos_manos_mientras_un_consumidor_lento_tiene_la_particion(banco: Banco) -> None:
    topico, nombre = banco.topico(), banco.suscripcion()
    lento = await banco.broker().suscribir(nombre, [topico])
    claves = [f"k{i}" for i in range(8)]
    await banco.broker().publicar([m for clave in claves for m in mensajes(topico, 2, clave)])
    primeras = await tomar(lento, 16)
    otro = await banco.broker().suscribir(nombre, [topico])

    assert await nada(otro, 2)
    await lento.confirmar(primeras)
    await banco.broker().publicar([m for clave in claves for m in mensajes(topico, 1, clave, desde=2)])
    recibidas: dict[int, list[str]] = defaultdict(list)

    async def vaciar(quien: Suscripcion, yo: int) -> None:
        while True:
            entregas = await quien.recibir(16)
            recibidas[yo] += [e.mensaje.clave or "" for e in entregas]
            await quien.confirmar(entregas)

    tareas = [asyncio.create_task(vaciar(quien, yo)) for yo, quien in enumerate((lento, otro))]
    async with asyncio.timeout(15):
        while sum(map(len, recibidas.values())) < len(claves):
            await asyncio.sleep(0.05)
    for tarea in tareas:
        tarea.cancel()
    await asyncio.gather(*tareas, return_exceptions=True)
    assert sorted(recibidas[0] + recibidas[1]) == claves


# --- el reparto -----------------------------------------------------------------------------------------------------


async def test_a_cada_consumidor_le_toca_una_parte_de_cada_topico_y_la_misma_clave_de_todos(banco: Banco) -> None:
    topicos = [banco.topico(nombre) for nombre in ("a", "b", "c")]
    uno, otro = [await banco.broker().suscribir(banco.suscripcion(), [banco.topico("*")]) for _ in range(2)]
    lote = [m for topico in topicos for i in range(40) for m in mensajes(topico, 1, f"k{i}")]
    await banco.broker().publicar(lote)

    de_uno, de_otro = await tomar(uno, 30), await tomar(otro, 30)
    faltan = len(lote) - 60
    tareas = [asyncio.create_task(quien.recibir(faltan)) for quien in (uno, otro)]
    while faltan:
        [*hechas], _ = await asyncio.wait(tareas, return_when=asyncio.FIRST_COMPLETED, timeout=15)
        for hecha in hechas:
            yo = tareas.index(hecha)
            (de_uno, de_otro)[yo].extend(hecha.result())
            faltan -= len(hecha.result())
            tareas[yo] = asyncio.create_task((uno, otro)[yo].recibir(99))
        assert hechas
    for tarea in tareas:
        tarea.cancel()
    await asyncio.gather(*tareas, return_exceptions=True)

    assert {e.mensaje.topico for e in de_uno} == {e.mensaje.topico for e in de_otro} == set(topicos)
    assert not {e.mensaje.clave for e in de_uno} & {e.mensaje.clave for e in de_otro}


async def test_un_consumidor_con_algo_siempre_en_las_manos_cede_su_parte_al_que_entra(banco: Banco) -> None:
    topico, nombre = banco.topico(), banco.suscripcion()
    uno = await banco.broker().suscribir(nombre, [topico])
    productor, parar = banco.broker(), asyncio.Event()
    vistos: dict[int, int] = defaultdict(int)

    async def publicar() -> None:
        for i in itertools.count():
            if parar.is_set():
                return
            await productor.publicar(mensajes(topico, 10, f"k{i % 50}"))

    async def atender(quien: Suscripcion, yo: int) -> None:
        siguientes = await quien.recibir(1)
        while not parar.is_set():  # nunca suelta lo que tiene sin haber tomado antes lo siguiente
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    siguientes += await quien.recibir(1)
            await quien.confirmar([siguientes.pop(0)] if siguientes else [])
            vistos[yo] += 1

    tareas = [asyncio.create_task(publicar()), asyncio.create_task(atender(uno, 0))]
    async with asyncio.timeout(15):
        while vistos[0] < 20:
            await asyncio.sleep(0.02)
        tareas.append(asyncio.create_task(atender(await banco.broker().suscribir(nombre, [topico]), 1)))
        while vistos[1] < 20:
            await asyncio.sleep(0.02)
    parar.set()
    await asyncio.gather(*tareas)


async def test_dentro_de_un_aviso_de_particiones_nada_quita_su_estado_a_la_lectura_en_curso(
    banco: Banco, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Con confluent-kafka 2.16, tras uno de esos métodos el aviso siguiente de la misma lectura aborta el proceso."""
    avisos, prohibidos = set[str](), set[str]()
    hilo = threading.local()

    class Vigilado(Consumer):
        def subscribe(self, *args: Any, **avisar: Any) -> None:
            super().subscribe(*args, **{nombre: self._vigilar(nombre, aviso) for nombre, aviso in avisar.items()})

        def _vigilar(self, nombre: str, aviso: Callable[..., None]) -> Callable[..., None]:
            def avisado(*args: Any) -> None:
                avisos.add(nombre)
                hilo.en_un_aviso = True
                aviso(*args)
                hilo.en_un_aviso = False

            return avisado

        def __getattribute__(self, nombre: str) -> Any:
            if nombre in QUITAN_EL_ESTADO and getattr(hilo, "en_un_aviso", False):
                prohibidos.add(nombre)
            return super().__getattribute__(nombre)

    monkeypatch.setattr(cliente, "Consumer", Vigilado)
    topico = banco.topico()
    await banco.broker().publicar(mensajes(topico, 20))
    uno, otro = [await banco.broker().suscribir(banco.suscripcion(), [topico]) for _ in range(2)]
    await uno.cerrar()
    assert len(await tomar(otro, 20)) == 20

    assert {"on_assign", "on_revoke"} <= avisos
    assert prohibidos == set()


# --- lo que se escribe con cada posición ----------------------------------------------------------------------------


@given(
    st.integers(0, 2**40),
    st.sets(st.integers(0, 9_999), max_size=300),
    st.dictionaries(st.integers(0, 9_999), st.tuples(st.integers(0, 99), st.integers(0, 2**42)), max_size=40),
)
def test_el_estado_de_una_particion_va_y_vuelve_en_lo_que_kafka_admite(
    base: int, hechas: set[int], anotadas: dict[int, tuple[int, int]]
) -> None:
    escrito = asiento.Asiento(
        base,
        "yo",
        {base + o for o in hechas},
        [(base, base + 7)],
        {base + o: anotada for o, anotada in anotadas.items()},
    )
    texto = asiento.escribir(escrito)

    assert len(texto) <= asiento.METADATOS_MAXIMO
    assert asiento.leer(base, texto) == escrito


def test_lo_que_no_cabe_en_los_metadatos_se_recorta_y_se_sigue_leyendo() -> None:
    enorme = asiento.Asiento(
        0,
        "yo",
        {n * 7919 % 99_991 for n in range(30_000)},
        [(n, n + 1) for n in range(0, 4000, 2)],
        dict.fromkeys(range(500), (1, 2**41)),
    )
    leido = asiento.leer(0, asiento.escribir(enorme))

    assert len(asiento.escribir(enorme)) <= asiento.METADATOS_MAXIMO
    assert leido.sospechosas == [(0, 3999)]
    assert leido.hechas <= enorme.hechas
    assert leido.anotadas.items() <= enorme.anotadas.items()


@pytest.mark.parametrize("ajeno", [None, "", "hola", "[]", "3", '{"v":1}', '{"v":1,"d":"","h":"%","s":[],"a":[]}'])
def test_unos_metadatos_ajenos_se_leen_como_ninguno(ajeno: str | None) -> None:
    assert asiento.leer(5, ajeno) == asiento.Asiento(5)


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"), min_size=1))
def test_cada_suscripcion_tiene_su_topico_y_ningun_comodin_lo_atiende(una: str, otra: str) -> None:
    topico = nombres.de_reintentos(una)

    assert (topico == nombres.de_reintentos(otra)) == (una == otra)
    assert len(topico) <= 249
    assert not nombres.es_de_usuario(topico)


# --- conectar -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["kafka://", "kafka:///x", "kafka://h:1/ruta", "kafka://h:puerto", "kafka://h?particiones=0", "kafka://h?otra=1"],
)
def test_una_url_que_no_se_entiende_se_nombra(url: str) -> None:
    with pytest.raises(URLBrokerInvalida, match="kafka://"):
        conectar(url)


def test_sin_el_cliente_instalado_se_nombra_el_extra() -> None:
    guion = (
        "import sys; sys.modules['confluent_kafka'] = None\n"
        "from seedwork.infraestructura.brokers import conectar\n"
        "try: conectar('kafka://h')\n"
        "except Exception as error: sys.exit(f'{type(error).__name__}: {error}')\n"
    )
    hecho = subprocess.run(
        [sys.executable, "-c", guion], env={"PYTHONPATH": f"{RAIZ}/src"}, capture_output=True, text=True, timeout=30
    )

    assert "ErrorDeArranque" in hecho.stderr
    assert "pip install aeroalpes-seedwork[kafka]" in hecho.stderr


async def test_el_numero_de_particiones_sale_de_la_url(banco: Banco) -> None:
    topico = banco.topico()
    broker = conectar(f"{banco.url}?particiones=7")
    await broker.publicar(mensajes(topico, 1))
    await broker.cerrar()

    consumidor = Consumer({"bootstrap.servers": _servidores(banco), "group.id": "x"})
    hay = await asyncio.to_thread(lambda: consumidor.list_topics(timeout=10).topics[topico].partitions)
    consumidor.close()
    assert len(hay) == 7


@pytest.mark.capacidad("C06")
async def test_lo_primero_que_se_publica_en_un_topico_recien_creado_no_se_da_por_publicado_sin_estarlo(
    banco: Banco,
) -> None:
    """Dos peticiones a una partición que su servidor está abriendo: la primera, rechazada, no se pierde."""
    broker, topicos = banco.broker(), [banco.topico(f"cosas{i}") for i in range(30)]
    for topico in topicos:
        cuerpos_de_uno = (b"", bytes(1024 * 1024))  # el segundo no cabe en la petición del primero
        await broker.publicar([Mensaje(topico=topico, cuerpo=cuerpo) for cuerpo in cuerpos_de_uno])
    consumidor = Consumer({"bootstrap.servers": _servidores(banco), "group.id": uuid.uuid4().hex})
    hay = {t: sum(consumidor.get_watermark_offsets(TopicPartition(t, n), 10)[1] for n in range(4)) for t in topicos}
    consumidor.close()
    assert hay == dict.fromkeys(topicos, 2)


async def test_un_lote_que_no_cabe_en_una_tanda_llega_entero_y_en_orden(banco: Banco) -> None:
    topico, broker = banco.topico(), banco.broker()
    lote = [
        Mensaje(topico=topico, cuerpo=str(n).encode().ljust(100 if n % 1000 else 600_000), clave=f"ñ{n % 7}")
        for n in range(20_000)
    ]
    await broker.publicar(lote)

    suscripcion = await broker.suscribir(banco.suscripcion(), [topico])
    vistos: dict[str | None, list[int]] = defaultdict(list)
    for entrega in await tomar(suscripcion, len(lote)):
        vistos[entrega.mensaje.clave].append(int(entrega.mensaje.cuerpo))
    assert vistos == {f"ñ{k}": list(range(k, 20_000, 7)) for k in range(7)}

"""Los carriles de Pulsar: particiones, un dueño cada uno, y el orden de cada clave pase lo que pase con los dueños."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from typing import Any

import pulsar
import pytest
from structlog.testing import capture_logs
from tests.contratos.banco import Banco, cuerpos, mensajes, nada, tomar

from seedwork.infraestructura.brokers import BrokerNoDisponible, Suscripcion
from seedwork.infraestructura.brokers.pulsar import atencion
from seedwork.infraestructura.brokers.pulsar.administracion import pedir
from seedwork.infraestructura.brokers.pulsar.carril import Carril
from seedwork.infraestructura.brokers.pulsar.cerrojos import Cerrojos
from seedwork.infraestructura.brokers.pulsar.cliente import Cliente
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion, leer_url
from seedwork.infraestructura.brokers.pulsar.formato import a_pulsar

PLAZO_S = 15.0


def _carriles(suscripcion: Suscripcion) -> set[int]:
    atiende: Any = suscripcion
    return set(atiende._carriles._mios)


async def _hasta_que(condicion: Any) -> None:
    async with asyncio.timeout(PLAZO_S):
        while not condicion():
            await asyncio.sleep(0.01)


# --- particiones ----------------------------------------------------------------------------------------------------


async def test_un_topico_nuevo_tiene_las_particiones_de_la_url_y_una_clave_esta_en_una(
    banco: Banco, direccion: Direccion, ajeno: pulsar.Client
) -> None:
    propio = Banco(f"{banco.url}&particiones=3", banco.vida_s, banco.tamano_maximo, prefijo=banco.prefijo)
    await propio.broker().publicar([m for clave in "abcdef" for m in mensajes(banco.topico(), 5, clave)])
    await propio.cerrar()

    topico = direccion.topico(banco.topico())
    assert len(ajeno.get_topic_partitions(topico)) == 3
    lector = ajeno.create_reader(topico, pulsar.MessageId.earliest)
    donde = defaultdict(set)
    for _ in range(30):
        recibido = await asyncio.to_thread(lector.read_next, 10_000)
        donde[recibido.partition_key()].add(recibido.topic_name())
    assert [len(particiones) for particiones in donde.values()] == [1] * 6


async def test_sin_administracion_se_advierte_una_vez_y_un_topico_nuevo_es_un_solo_carril(banco: Banco) -> None:
    sin_admin = Banco(f"{banco.url.partition('?')[0]}?admin=http://127.0.0.1:1", banco.vida_s, banco.tamano_maximo)
    with capture_logs() as registro:
        broker = sin_admin.broker()
        suscripcion = await broker.suscribir(banco.suscripcion(), [banco.topico()])
        await broker.publicar(mensajes(banco.topico(), 40, "k"))

    assert cuerpos(await tomar(suscripcion, 40)) == [str(i) for i in range(40)]
    assert _carriles(suscripcion) == {0}
    await sin_admin.cerrar()
    avisos = [linea for linea in registro if linea["event"] == "broker.sin_particiones"]
    assert len(avisos) == 1


async def test_un_topico_ajeno_sin_particiones_llega_en_orden_y_sus_reintentos_por_su_carril(
    banco: Banco, direccion: Direccion, ajeno: pulsar.Client
) -> None:
    productor = ajeno.create_producer(direccion.topico(banco.topico()))
    consumidores = [await banco.broker().suscribir(banco.suscripcion(), [banco.topico()]) for _ in range(2)]
    for i in range(6):
        productor.send(str(i).encode(), partition_key=f"k{i % 3}")
    esperas = [asyncio.create_task(tomar(consumidor, 6)) for consumidor in consumidores]
    hechas, pendientes = await asyncio.wait(esperas, return_when=asyncio.FIRST_COMPLETED)
    for espera in pendientes:
        espera.cancel()
    [hecha] = hechas
    quien = consumidores[esperas.index(hecha)]

    assert cuerpos(hecha.result()) == [str(i) for i in range(6)]
    for entrega in hecha.result():
        await quien.reintentar(entrega, 0)
    assert sorted(cuerpos(await tomar(quien, 6))) == [str(i) for i in range(6)]


async def test_las_particiones_que_se_anaden_se_atienden(
    banco: Banco, direccion: Direccion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atencion, "_AMPLIACION_S", 0.2)
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [banco.topico()])
    await asyncio.to_thread(pedir, direccion, "POST", f"persistent/{direccion.espacio}/{banco.topico()}/partitions", 9)
    await banco.broker().publicar([m for i in range(60) for m in mensajes(banco.topico(), 1, f"k{i}")])

    assert len(await tomar(suscripcion, 60)) == 60


# --- dueños ---------------------------------------------------------------------------------------------------------


async def test_los_carriles_se_reparten_por_igual_y_lo_del_que_se_va_pasa_a_los_demas(banco: Banco) -> None:
    consumidores = [await banco.broker().suscribir(banco.suscripcion(), [banco.topico()]) for _ in range(3)]
    repartidos = [_carriles(consumidor) for consumidor in consumidores]

    assert sorted(map(len, repartidos)) == [1, 1, 2]
    assert set.union(*repartidos) == {0, 1, 2, 3}
    primero, *demas = consumidores
    await primero.cerrar()
    await _hasta_que(lambda: [len(_carriles(consumidor)) for consumidor in demas] == [2, 2])


async def test_un_cerrojo_no_lo_tienen_dos_aunque_lo_disputen(banco: Banco, direccion: Direccion) -> None:
    topico, azar, duenos = direccion.interno(banco.suscripcion(), "carriles"), random.Random(5), set[int]()  # noqa: S311
    veces = 0

    async def disputar(yo: int) -> None:
        nonlocal veces
        cerrojos = Cerrojos(direccion, topico, str(yo), lambda: None)
        fin = time.monotonic() + 1.5
        while time.monotonic() < fin:
            if await cerrojos.echar(0):
                assert not duenos
                duenos.add(yo)
                await asyncio.sleep(azar.choice((0, 0.001)))
                duenos.remove(yo)
                veces += 1
                await cerrojos.quitar(0) if azar.random() < 0.8 else cerrojos.cerrar()
        cerrojos.cerrar()

    await asyncio.gather(*map(disputar, range(4)))
    assert veces > 20


async def test_quien_pierde_un_cerrojo_sin_saberlo_responde_por_lo_que_tiene_antes_de_que_lo_de_otro(
    banco: Banco,
) -> None:
    topico, nombre = banco.topico(), banco.suscripcion()
    uno: Any = await banco.broker().suscribir(nombre, [topico])
    await banco.broker().publicar(mensajes(topico, 6, "k"))
    en_mano = await tomar(uno, 2)
    ladron = Cerrojos(leer_url(banco.url), uno._cerrojos._topico, "ladrón", lambda: None)
    uno._cerrojos.cerrar()  # como si su conexión se cortara y otro llegara antes
    assert [await ladron.echar(carril) for carril in range(4)] == [True] * 4
    ladron.cerrar()
    otro = await banco.broker().suscribir(nombre, [topico])

    assert await nada(otro)
    await uno.confirmar(en_mano)
    resto: list[str] = []
    async with asyncio.timeout(PLAZO_S):
        while len(resto) < 4:
            for consumidor in (uno, otro):
                try:
                    async with asyncio.timeout(0.05):
                        entregas = await consumidor.recibir(1)
                except TimeoutError:
                    continue
                resto += cuerpos(entregas)
                await consumidor.confirmar(entregas)
    assert resto == ["2", "3", "4", "5"]


async def test_lo_devuelto_mientras_se_cede_su_carril_no_queda_detras_de_lo_que_le_sigue(banco: Banco) -> None:
    suscripcion: Any = await banco.broker().suscribir(banco.suscripcion(), [banco.topico()])
    await banco.broker().publicar(mensajes(banco.topico(), 6, "k"))
    en_mano = await tomar(suscripcion, 2)
    cesion = asyncio.create_task(suscripcion.cerrar_carril(en_mano[0].referencia.carril))
    await asyncio.sleep(0)
    await suscripcion.devolver(en_mano)

    assert await nada(suscripcion)
    await cesion


async def test_un_carril_que_cambia_de_manos_con_mensajes_ya_traidos_sigue_por_el_primero_sin_confirmar(
    banco: Banco, direccion: Direccion
) -> None:
    topico, clientes = direccion.topico(banco.topico()), [Cliente(direccion) for _ in range(3)]
    azar = random.Random(11)  # noqa: S311 - repetible

    async def publicar(desde: int, cuantos: int, de_golpe: int) -> None:
        sobres = [(a_pulsar(mensaje), mensaje) for mensaje in mensajes(banco.topico(), cuantos, "k", desde)]
        for inicio in range(0, cuantos, de_golpe):
            await clientes[2].enviar(topico, sobres[inicio : inicio + de_golpe])

    async def abrir(cambio: int) -> tuple[Carril, list[tuple[pulsar.Consumer, pulsar.Message]]]:
        llegados: list[tuple[pulsar.Consumer, pulsar.Message]] = []
        carril = Carril(
            0,
            clientes[cambio % 2],
            "s",
            f"yo{cambio}",
            lambda _, de, lote: llegados.extend((de, suyo) for suyo in lote),
        )
        while True:
            try:
                await carril.atender([topico], pulsar.InitialPosition.Earliest)
            except BrokerNoDisponible:  # quien lo tenía aún no se ha ido
                await asyncio.sleep(0)
            else:
                return carril, llegados

    await publicar(0, 300, 300)
    publicando = asyncio.create_task(publicar(300, 10_000, 1))  # sin parar: Pulsar está siempre leyendo para alguien
    carril, llegados = await abrir(0)
    for cambio in range(1, 61):
        async with asyncio.timeout(PLAZO_S):
            while len(llegados) < 5:
                await asyncio.sleep(0)
        assert [int(recibido.data()) for _, recibido in llegados[:5]] == list(range(5 * cambio - 5, 5 * cambio))
        for consumidor, recibido in llegados[:5]:
            consumidor.acknowledge(recibido)
        await asyncio.sleep(0.01 * azar.random())
        _, (carril, llegados) = await asyncio.gather(carril.cerrar(), abrir(cambio))
    publicando.cancel()
    for cliente in clientes:
        await cliente.cerrar()

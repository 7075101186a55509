"""Lo propio del broker de Redis: lo que el contrato común no puede preguntar."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from tests import servidores
from tests.contratos.banco import PLAZO_S, cuerpos, mensajes, nada, tomar
from tests.contratos.banco_redis import url_de_redis
from tests.procesos import congelar

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import (
    BrokerNoDisponible,
    Entrega,
    ErrorBroker,
    Mensaje,
    MensajeNoPublicable,
    conectar,
)
from seedwork.infraestructura.brokers.redis import BrokerRedis, guiones
from seedwork.infraestructura.brokers.redis.recorte import recortar


@pytest.fixture
async def broker() -> AsyncIterator[BrokerRedis]:
    """Un broker con un prefijo sólo suyo, cuyas claves se borran al terminar."""
    broker = conectar(f"{url_de_redis()}?prefijo=t{uuid.uuid4().hex}")
    assert isinstance(broker, BrokerRedis)
    yield broker
    await broker.cerrar()
    async with Redis.from_url(url_de_redis()) as cliente:
        async for clave in cliente.scan_iter(match=f"{broker.conexion.prefijo}*", count=1000):
            await cliente.delete(clave)


@pytest.fixture
async def crudo() -> AsyncIterator[Any]:
    async with Redis.from_url(url_de_redis()) as cliente:
        yield cliente


@pytest.fixture
def aparte(tmp_path: Path) -> Any:
    """La URL de un Redis de esta prueba, que puede pararlo; termina parado."""
    url_de_redis()  # sin Redis instalado se salta, o falla en CI
    yield servidores.arrancar("redis", tmp_path)["TEST_REDIS_URL"]
    servidores.parar("redis", tmp_path, borrar=True)


@pytest.mark.parametrize(
    "url",
    ["redis://", "redis://:0", "redis://h:x", "redis://h/x", "redis://h/0?prefijo=", "redis://h?otra=1", "redis://h#a"],
)
def test_una_url_que_no_se_entiende_es_un_error_de_arranque(url: str) -> None:
    with pytest.raises(ErrorDeArranque, match="redis://"):
        conectar(url)


# --- lo que va y viene ----------------------------------------------------------------------------------------------


async def test_los_atributos_de_cloudevents_viajan_con_su_prefijo(broker: BrokerRedis, crudo: Any) -> None:
    cabeceras = {"id": "7", "type": "a", "datacontenttype": "application/json"}
    await broker.publicar([Mensaje(topico="cosas", cuerpo=b"{}", clave="k", cabeceras=cabeceras)])

    [(_, campos)] = await crudo.xrange(f"{broker.conexion.prefijo}t:cosas")
    assert campos == {
        b"key": b"k",
        b"data": b"{}",
        b"ce_id": b"7",
        b"ce_type": b"a",
        b"content-type": b"application/json",
    }


@pytest.mark.parametrize(
    ("campos", "cuerpo", "clave", "cabeceras"),
    [
        ({"data": "{}", "ce_id": "1", "ce_partitionkey": "k"}, b"{}", "k", {"id": "1", "partitionkey": "k"}),
        ({"data": "x"}, b"x", None, {}),
        ({"payload": "x"}, b"x", None, {}),
        ({"a": "1", "b": "2"}, b"", None, {"a": "1", "b": "2"}),
        ({"data": "x", "key": b"\xff", "z": b"\xff"}, b"x", None, {"z": "\ufffd"}),
    ],
)
async def test_un_mensaje_de_otro_programa_se_entiende(
    broker: BrokerRedis, crudo: Any, campos: Any, cuerpo: bytes, clave: str | None, cabeceras: dict[str, str]
) -> None:
    suscripcion = await broker.suscribir("s", ["ajeno"])
    await crudo.xadd(f"{broker.conexion.prefijo}t:ajeno", campos)

    [entrega] = await tomar(suscripcion, 1)
    assert entrega.mensaje == Mensaje(topico="ajeno", cuerpo=cuerpo, clave=clave, cabeceras=cabeceras)
    await suscripcion.confirmar([entrega])


async def test_sin_clave_y_con_partitionkey_sigue_sin_clave(broker: BrokerRedis) -> None:
    enviado = Mensaje(topico="a", cuerpo=b"", cabeceras={"partitionkey": "k"})
    await broker.publicar([enviado])

    assert (await tomar(await broker.suscribir("s", ["a"]), 1))[0].mensaje == enviado


async def test_lo_publicado_tras_una_identidad_ajena_mayor_llega_en_orden(broker: BrokerRedis, crudo: Any) -> None:
    await crudo.xadd(f"{broker.conexion.prefijo}t:a", {"data": "ajeno"}, id="9999999999999-5")
    await broker.publicar(mensajes("a", 3))

    assert cuerpos(await tomar(await broker.suscribir("s", ["a"]), 4)) == ["ajeno", "0", "1", "2"]


async def test_demasiadas_cabeceras_no_se_publican(broker: BrokerRedis) -> None:
    culpable = Mensaje(topico="a", cuerpo=b"", cabeceras={str(i): "" for i in range(1001)})

    with pytest.raises(MensajeNoPublicable, match="1001"):
        await broker.publicar([culpable])


async def test_lo_de_varios_topicos_se_entrega_en_el_orden_en_que_se_publico(broker: BrokerRedis) -> None:
    await broker.publicar([Mensaje(topico=f"t{i % 3}", cuerpo=str(i).encode(), clave="k") for i in range(300)])

    assert cuerpos(await tomar(await broker.suscribir("s", ["#"]), 300)) == [str(i) for i in range(300)]


async def test_un_atraso_de_mensajes_grandes_se_entrega_de_a_pocos(broker: BrokerRedis) -> None:
    await broker.publicar([Mensaje(topico="a", cuerpo=bytes(1024 * 1024)) for _ in range(12)])
    suscripcion = await broker.suscribir("s", ["a"])

    assert len(await suscripcion.recibir(100)) <= 5


async def test_dos_suscripciones_de_nombre_parecido_no_comparten_claves(broker: BrokerRedis) -> None:
    una, otra = [await broker.suscribir(nombre, ["a"]) for nombre in ("a", "a:cola:k")]
    await broker.publicar(mensajes("a", 2, "k:datos"))

    for suscripcion in (una, otra):
        assert cuerpos(await tomar(suscripcion, 2)) == ["0", "1"]


# --- lo que falla ---------------------------------------------------------------------------------------------------


async def test_si_redis_se_para_publicar_lo_dice_y_al_volver_no_se_ha_perdido_nada(aparte: str, tmp_path: Path) -> None:
    broker = conectar(aparte)
    suscripcion = await broker.suscribir("s", ["a"])
    await broker.publicar(mensajes("a", 5, "k"))
    en_mano = await tomar(suscripcion, 2)
    espera = asyncio.create_task(_recibir_insistiendo(suscripcion, 3))
    await asyncio.to_thread(servidores.parar, "redis", tmp_path)

    empezo = time.monotonic()
    with pytest.raises(BrokerNoDisponible):
        await broker.publicar(mensajes("a", 1, "k", desde=9))
    assert time.monotonic() - empezo < 10

    await asyncio.to_thread(servidores.arrancar, "redis", tmp_path)
    async with asyncio.timeout(PLAZO_S):
        assert cuerpos(await espera) == ["2", "3", "4"]
        await suscripcion.confirmar([*en_mano, *espera.result()])
        await broker.publicar(mensajes("a", 1, "k", desde=5))
    assert cuerpos(await tomar(suscripcion, 1)) == ["5"]
    await broker.cerrar()


async def _recibir_insistiendo(suscripcion: Any, cuantas: int) -> list[Entrega]:
    tomadas: list[Entrega] = []
    while len(tomadas) < cuantas:
        try:
            tomadas += await suscripcion.recibir(10)
        except BrokerNoDisponible:
            await asyncio.sleep(0.1)
    return tomadas


async def test_si_redis_no_contesta_publicar_vence_y_cerrar_termina(aparte: str, tmp_path: Path) -> None:
    broker = conectar(aparte)
    suscripcion = await broker.suscribir("s", ["a"])
    [pid] = servidores.pids("redis", tmp_path)
    congelar(pid)
    try:
        empezo = time.monotonic()
        with pytest.raises(BrokerNoDisponible, match="no responde"):
            await broker.publicar(mensajes("a", 1))
        assert time.monotonic() - empezo < 11
        async with asyncio.timeout(25):
            await broker.cerrar()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await suscripcion.recibir(1) == []


async def test_lo_que_tomo_una_peticion_sin_respuesta_vuelve_en_orden(
    broker: BrokerRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    suscripcion = await broker.suscribir("s", ["a"])
    await broker.publicar(mensajes("a", 4, "k"))
    tomadas = await tomar(suscripcion, 1)
    correr = broker.conexion.correr

    async def perder_la_respuesta(guion: guiones.Guion, *argumentos: Any) -> Any:
        await correr(guion, *argumentos)
        raise BrokerNoDisponible("se cortó la conexión")

    with monkeypatch.context() as parche:
        parche.setattr(broker.conexion, "correr", perder_la_respuesta)
        with pytest.raises(BrokerNoDisponible):
            await suscripcion.recibir(2)

    despues = await tomar(suscripcion, 3)
    assert cuerpos([*tomadas, *despues]) == ["0", "1", "2", "3"]
    assert [(e.intentos, e.sospechosa) for e in despues] == [(0, False)] * 3


async def test_una_peticion_que_llega_despues_de_darse_por_perdida_no_toma_nada(broker: BrokerRedis) -> None:
    suscripcion = await broker.suscribir("s", ["a"])
    await broker.publicar(mensajes("a", 1))
    await broker.conexion.correr(guiones.CONCILIAR, suscripcion.nombre, suscripcion.dueno, 1)

    tarde = await broker.conexion.correr(guiones.TOMAR, suscripcion.nombre, suscripcion.dueno, 0, 9, 10000, 1, 0, "a")

    assert tarde[4:] == [b"", b""]


async def test_sin_memoria_en_redis_publicar_lo_dice_y_lo_publicado_sigue(aparte: str) -> None:
    broker = conectar(aparte)
    await broker.publicar(mensajes("a", 1))
    async with Redis.from_url(aparte) as cliente:
        await cliente.config_set("maxmemory", "1mb")
        with pytest.raises(BrokerNoDisponible, match="memoria"):
            await broker.publicar(mensajes("a", 1, desde=1))
        await cliente.config_set("maxmemory", "0")
    await broker.publicar(mensajes("a", 1, desde=1))

    assert cuerpos(await tomar(await broker.suscribir("s", ["a"]), 2)) == ["0", "1"]
    await broker.cerrar()


async def test_una_clave_de_otro_tipo_es_un_error_que_la_nombra_y_no_publica_nada(
    broker: BrokerRedis, crudo: Any
) -> None:
    await crudo.set(f"{broker.conexion.prefijo}t:ajena", "x")
    suscripcion = await broker.suscribir("s", ["a"])

    with pytest.raises(ErrorBroker, match="t:ajena"):
        await broker.publicar([*mensajes("a", 1), *mensajes("ajena", 1)])
    assert await nada(suscripcion)


async def test_sin_permiso_es_un_error_claro_y_no_dice_la_clave(aparte: str) -> None:
    broker = conectar(aparte.replace("redis://", "redis://nadie:secreta@"))

    with pytest.raises(ErrorBroker, match="no nos deja entrar") as error:
        await broker.comprobar()
    assert "secreta" not in str(error.value)
    assert not isinstance(error.value, BrokerNoDisponible)
    await broker.cerrar()


# --- recortar -------------------------------------------------------------------------------------------------------


async def test_se_recorta_lo_viejo_y_nunca_lo_que_una_suscripcion_necesita(broker: BrokerRedis, crudo: Any) -> None:
    suscripcion = await broker.suscribir("s", ["a"])
    await broker.publicar([*mensajes("a", 10), *mensajes("sola", 4)])
    entregas = await tomar(suscripcion, 6)
    await suscripcion.confirmar([e for e in entregas if e.mensaje.cuerpo != b"3"])
    await asyncio.sleep(0.01)

    assert await recortar(broker.conexion, 3600) == 0
    assert await recortar(broker.conexion, 0) == 3 + 4  # antes del 3, que sigue en sus manos; «sola» no la espera nadie
    await suscripcion.confirmar(entregas)
    assert await recortar(broker.conexion, 0) == 3
    assert cuerpos(await tomar(suscripcion, 4)) == ["6", "7", "8", "9"]
    assert await crudo.xlen(f"{broker.conexion.prefijo}t:a") == 4


async def test_lo_que_espera_un_reintento_o_su_turno_no_se_recorta(broker: BrokerRedis) -> None:
    suscripcion = await broker.suscribir("s", ["a"])
    await broker.publicar([*mensajes("a", 1), *mensajes("a", 2, "k", desde=1), *mensajes("a", 1, desde=3)])
    entregas = await suscripcion.recibir(10, {"k"})
    await suscripcion.reintentar(entregas[0], 0.2)
    await suscripcion.confirmar(entregas[1:])
    await asyncio.sleep(0.01)

    assert await recortar(broker.conexion, 0) == 0
    assert sorted(cuerpos(await tomar(suscripcion, 3))) == ["0", "1", "2"]

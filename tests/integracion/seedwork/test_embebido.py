"""Lo propio del broker embebido: muchos procesos sobre un archivo, archivos que no sirven, y lo que ocupa."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.contratos.banco import cuerpos, mensajes, nada, tomar
from tests.procesos import RAIZ, Proceso

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker, Mensaje, URLBrokerInvalida, conectar
from seedwork.infraestructura.brokers.embebido import BrokerEmbebido
from seedwork.infraestructura.brokers.embebido.almacen import LOTE_BYTES, Almacen, ahora_ms


@pytest.fixture
def archivo(tmp_path: Path) -> Path:
    return tmp_path / "sub" / "broker.db"


@pytest.fixture
async def broker(archivo: Path) -> AsyncIterator[BrokerEmbebido]:
    broker = BrokerEmbebido(str(archivo))
    yield broker
    await broker.cerrar()


@pytest.fixture
def procesos(tmp_path: Path, archivo: Path) -> Iterator[Any]:
    abiertos: list[Proceso] = []

    def lanzar(que: str, *argumentos: str) -> Proceso:
        orden = [sys.executable, "-m", "tests.integracion.seedwork.embebido_proceso", que, f"embebido:///{archivo}"]
        salida = tmp_path / f"salida-{len(abiertos)}"
        abiertos.append(Proceso([*orden, *argumentos], {"PYTHONPATH": f"{RAIZ}/src"}, salida, RAIZ))
        return abiertos[-1]

    yield lanzar
    for proceso in abiertos:
        proceso.matar()


async def test_varios_procesos_publican_y_se_reparten_un_archivo_sin_perder_ni_repetir_ni_desordenar(
    procesos: Any, broker: BrokerEmbebido, tmp_path: Path
) -> None:
    diarios = [tmp_path / f"diario-{i}" for i in range(2)]
    consumidores = [procesos("consumir", "s", "t", str(diario)) for diario in diarios]
    publicadores = [procesos("publicar", "t", f"p{i}", "400") for i in range(3)]
    for publicador in publicadores:
        assert await asyncio.to_thread(publicador.termina) == 0, publicador.salida
    while any(c.popen.poll() is None for c in consumidores):
        await broker.publicar([Mensaje(topico="t", cuerpo=b"fin")])
        await asyncio.sleep(0.2)
    assert [c.popen.returncode for c in consumidores] == [0, 0], [c.salida for c in consumidores]

    notas = [[n for n in diario.read_text().split() if n != "fin"] for diario in diarios]
    todas = Counter(nota for lista in notas for nota in lista)
    assert todas == Counter(f"p{i}:{n}" for i in range(3) for n in range(400))
    for lista in notas:
        por_clave = defaultdict(list)
        for nota in lista:
            clave, _, n = nota.partition(":")
            por_clave[clave].append(int(n))
        assert all(orden == sorted(orden) for orden in por_clave.values())


async def test_matar_a_quien_publica_no_pierde_nada_de_lo_acusado_ni_deja_lotes_a_medias(
    procesos: Any, broker: BrokerEmbebido
) -> None:
    publicador = procesos("publicar", "t", "p", "1000000")
    await asyncio.to_thread(publicador.espera_texto, "p:200\n")
    publicador.matar()
    acusados = publicador.salida.split("\n")[:-1]
    await broker.publicar([Mensaje(topico="t", cuerpo=b"fin")])

    suscripcion = await broker.suscribir("s", ["t"])
    recibidos: list[str] = []
    while "fin" not in recibidos:
        recibidos += cuerpos(await suscripcion.recibir(500))

    assert recibidos[: len(acusados)] == acusados
    assert (len(recibidos) - 1) % 5 == 0


def test_muchos_a_la_vez_pueden_crear_el_archivo(archivo: Path) -> None:
    salida, fallos = threading.Barrier(8), []

    def abrir() -> None:
        try:
            for i in range(20):
                salida.wait()
                Almacen(f"{archivo}-{i}").cerrar()
        except Exception as error:  # noqa: BLE001 - se muestra
            fallos.append(error)

    hilos = [threading.Thread(target=abrir) for _ in range(8)]
    for hilo in hilos:
        hilo.start()
    for hilo in hilos:
        hilo.join()
    assert fallos == []


def test_dos_event_loops_en_dos_hilos_se_hablan_cada_uno_con_su_broker(archivo: Path) -> None:
    recibidos: list[str] = []

    async def consumir() -> None:
        broker = BrokerEmbebido(str(archivo))
        recibidos.extend(cuerpos(await tomar(await broker.suscribir("s", ["t"]), 50)))
        await broker.cerrar()

    async def publicar() -> None:
        broker = BrokerEmbebido(str(archivo))
        for i in range(50):
            await broker.publicar(mensajes("t", 1, "k", desde=i))
        await broker.cerrar()

    hilos = [threading.Thread(target=asyncio.run, args=(funcion(),)) for funcion in (consumir, publicar)]
    for hilo in hilos:
        hilo.start()
    for hilo in hilos:
        hilo.join(20)
    assert recibidos == [str(i) for i in range(50)]


# --- archivos que no sirven -----------------------------------------------------------------------------------------


async def _no_sirve(ruta: Path, frase: str) -> None:
    broker = BrokerEmbebido(str(ruta))
    try:
        with pytest.raises(ErrorBroker, match=frase) as error:
            await broker.publicar(mensajes("t", 1))
        assert not isinstance(error.value, BrokerNoDisponible), "insistir no lo arregla"
        assert str(ruta) in str(error.value)
    finally:
        await broker.cerrar()


async def test_un_archivo_que_no_es_una_base_se_dice(tmp_path: Path) -> None:
    ruta = tmp_path / "notas.txt"
    ruta.write_text("esto no es una base de datos\n" * 100)

    await _no_sirve(ruta, "no es un broker embebido")
    assert ruta.read_text().startswith("esto no es")


async def test_una_base_de_otra_cosa_no_se_toca(tmp_path: Path) -> None:
    ruta = tmp_path / "aeroalpes.db"
    ajena = apsw.Connection(str(ruta))
    ajena.execute("CREATE TABLE reserva (id)")
    ajena.close()

    await _no_sirve(ruta, "otra cosa")
    ajena = apsw.Connection(str(ruta))
    assert ajena.execute("SELECT name FROM sqlite_master").fetchall() == [("reserva",)]
    assert ajena.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    ajena.close()


async def test_un_broker_de_una_version_mas_nueva_se_rechaza(archivo: Path) -> None:
    Almacen(str(archivo)).cerrar()
    base = apsw.Connection(str(archivo))
    base.execute("PRAGMA user_version=99")
    base.close()

    await _no_sirve(archivo, r"más nueva \(99\).*actualice el código")


async def test_un_archivo_danado_se_dice(archivo: Path) -> None:
    sano = BrokerEmbebido(str(archivo))
    await sano.publicar([Mensaje(topico="t", cuerpo=bytes(5000)) for _ in range(50)])
    await sano.cerrar()
    await asyncio.to_thread(_estropear, archivo)

    await _no_sirve(archivo, "dañado")


def _estropear(archivo: Path) -> None:
    contenido = archivo.read_bytes()
    archivo.write_bytes(contenido[:4096] + b"\xff" * (len(contenido) - 4096))


async def test_una_carpeta_donde_no_se_puede_escribir_se_dice(tmp_path: Path) -> None:
    (tmp_path / "archivo").write_text("")

    await _no_sirve(tmp_path / "archivo" / "sub" / "broker.db", "No se puede abrir")
    await _no_sirve(tmp_path, "No se puede abrir")


@pytest.mark.parametrize(
    "url",
    ["embebido:x.db", "embebido:///", "embebido://host/x.db", "embebido:///x.db?modo=ro", "embebido:///x#y", "x", "",
     "embebido:///carpeta/", "Pulsar:h", "amqp://usuario:secreto@[::1"],
)  # fmt: skip
def test_una_url_que_no_se_entiende_es_un_error_sin_su_clave(url: str) -> None:
    with pytest.raises(URLBrokerInvalida) as error:
        conectar(url)
    assert "secreto" not in str(error.value)


async def test_una_ruta_relativa_no_cambia_de_sitio_si_el_programa_cambia_de_carpeta(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    broker = conectar("embebido:///var/broker.db")
    (tmp_path / "otra").mkdir()
    monkeypatch.chdir(tmp_path / "otra")
    await broker.publicar(mensajes("t", 1))
    await broker.cerrar()

    assert (tmp_path / "var" / "broker.db").exists()


async def test_con_el_archivo_tomado_por_otro_no_se_pierde_el_turno_ni_la_conexion(
    broker: BrokerEmbebido, archivo: Path
) -> None:
    await broker.publicar(mensajes("t", 1))
    otro = apsw.Connection(str(archivo))
    otro.execute("BEGIN IMMEDIATE")
    publicando = asyncio.create_task(broker.publicar(mensajes("t", 1, desde=1)))
    await asyncio.sleep(0.2)
    assert not publicando.done()
    otro.execute("COMMIT")
    otro.close()
    await publicando

    assert cuerpos(await tomar(await broker.suscribir("s", ["t"]), 2)) == ["0", "1"]


# --- lo que ocupa ---------------------------------------------------------------------------------------------------


async def test_una_clave_retenida_con_mucho_detras_no_para_a_las_demas(broker: BrokerEmbebido) -> None:
    uno, otro = [await broker.suscribir("s", ["t"]) for _ in range(2)]
    await broker.publicar(mensajes("t", 3000, "retenida"))
    await tomar(uno, 1)
    await broker.publicar(mensajes("t", 100, "libre"))

    empezo = time.monotonic()
    assert cuerpos(await tomar(otro, 100)) == [str(i) for i in range(100)]
    assert time.monotonic() - empezo < 3
    assert cuerpos(await tomar(uno, 2999)) == [str(i) for i in range(1, 3000)]


async def test_un_lote_se_corta_por_bytes_aunque_quepan_mas_mensajes(broker: BrokerEmbebido) -> None:
    grande = bytes(LOTE_BYTES // 2)
    await broker.publicar([Mensaje(topico=f"t.{i % 2}", cuerpo=grande) for i in range(6)])
    suscripcion = await broker.suscribir("s", ["t.*"])
    lector = await broker.leer(["t.*"], desde_hace_s=60)

    assert [len(await suscripcion.recibir(100)) for _ in range(3)] == [2, 2, 2]
    assert len(await lector.recibir(100)) == 2


async def test_con_diez_mil_atrasados_solo_hay_filas_de_lo_tomado(broker: BrokerEmbebido, archivo: Path) -> None:
    for i in range(0, 10_000, 1000):
        await broker.publicar(mensajes("t", 1000, "k", desde=i))
    suscripcion = await broker.suscribir("s", ["t"])
    entregas = await tomar(suscripcion, 100)

    assert _filas(archivo, "entregas") == 100
    await suscripcion.confirmar(entregas)
    assert _filas(archivo, "entregas") == 0


def _filas(archivo: Path, tabla: str) -> int:
    base = apsw.Connection(str(archivo))  # la misma biblioteca: dos SQLite en un proceso se quitan los candados
    cuantas: Any = base.execute(f"SELECT count(*) FROM {tabla}").fetchone()  # noqa: S608 - sin datos de fuera
    base.close()
    return int(cuantas[0])


async def test_la_purga_borra_lo_viejo_y_conserva_lo_que_alguien_espera(broker: BrokerEmbebido, archivo: Path) -> None:
    al_dia, atrasada = [await broker.suscribir(nombre, ["t"]) for nombre in ("al-dia", "atrasada")]
    await broker.publicar([*mensajes("t", 10), *mensajes("otro", 3)])
    await al_dia.confirmar(await tomar(al_dia, 10))
    await atrasada.confirmar((await tomar(atrasada, 5))[:3])

    assert await broker.hacer(Almacen.purgar, ahora_ms() - 60_000, 1000) == 0, "todavía no es viejo"
    assert await broker.hacer(Almacen.purgar, ahora_ms() + 1, 2) == 2, "de a pocos"
    assert await broker.hacer(Almacen.purgar, ahora_ms() + 1, 1000) == 4, "lo confirmado por todos y lo de nadie"
    assert _filas(archivo, "mensajes") == 7
    assert cuerpos(await tomar(atrasada, 5)) == ["5", "6", "7", "8", "9"]


async def test_una_letra_muerta_reenviada_sobrevive_a_la_purga(broker: BrokerEmbebido) -> None:
    suscripcion = await broker.suscribir("s", ["t"])
    await broker.publicar(mensajes("t", 1))
    await suscripcion.desechar((await tomar(suscripcion, 1))[0], "no")
    assert await broker.hacer(Almacen.purgar, ahora_ms() + 1, 1000) == 1
    [letra] = await broker.letras_muertas.listar()
    await broker.letras_muertas.reenviar(letra.id)
    assert await broker.hacer(Almacen.purgar, ahora_ms() + 1, 1000) == 0

    assert cuerpos(await tomar(suscripcion, 1)) == ["0"]


async def test_un_lector_no_se_salta_nada_aunque_publiquen_en_otro_topico_mientras_lee(archivo: Path) -> None:
    lector = await BrokerEmbebido(str(archivo)).leer(["a", "b"])
    cuantos = 1500

    def publicar() -> None:
        almacen = Almacen(str(archivo))
        for i in range(cuantos):
            almacen.publicar([Mensaje(topico="ab"[i % 2], cuerpo=str(i).encode())])
        almacen.cerrar()

    publicando = asyncio.create_task(asyncio.to_thread(publicar))
    leidos: list[str] = []
    async with asyncio.timeout(30):
        while len(leidos) < cuantos:
            leidos += cuerpos(await lector.recibir(50))
            assert leidos == [str(i) for i in range(len(leidos))]
    await publicando
    await lector._broker.cerrar()  # type: ignore[attr-defined]


async def test_esperar_sin_que_pase_nada_cuesta_poco(broker: BrokerEmbebido) -> None:
    suscripciones = [await broker.suscribir(f"s{i}", ["t"]) for i in range(5)]
    esperas = [asyncio.create_task(s.recibir(1)) for s in suscripciones]
    await asyncio.sleep(0.3)
    antes = time.process_time()
    await asyncio.sleep(2)
    gastado = (time.process_time() - antes) / 2
    for espera in esperas:
        espera.cancel()
    await asyncio.gather(*esperas, return_exceptions=True)

    assert gastado < 0.1, f"{gastado:.1%} de un procesador"


async def test_quien_se_retrasa_en_latir_pero_vive_no_se_entierra_a_si_mismo(broker: BrokerEmbebido) -> None:
    suscripcion = await broker.suscribir("s", ["t"])
    await broker.publicar(mensajes("t", 1))
    await tomar(suscripcion, 1)
    await broker.hacer(_vencer)

    assert await nada(suscripcion)


def _vencer(almacen: Almacen) -> None:
    almacen._db.execute("UPDATE consumidores SET vence_ms=0")

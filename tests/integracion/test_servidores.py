"""Los servidores de las pruebas se arrancan, se paran y se rehacen sin tocar nada ajeno.

La maquinaria se prueba con un servidor mínimo, que es un proceso de verdad; y todo junto, con Redis.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import pytest
from tests import servidores
from tests.procesos import hasta
from tests.servidores.base import ANFITRION, NoDisponible, Orden, Requisito, Servidor, Sitio
from tests.servidores.binario import conectar, leer
from tests.servidores.instalar import buscar
from tests.servidores.mando import Mando

ECO = """
import signal, socket, sys
if "sordo" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as servidor:
    while True:
        conexion, _ = servidor.accept()
        with conexion:
            conexion.sendall(b"hola")
"""


class Eco(Servidor):
    nombre = "eco"
    procesos = ("eco",)
    plazo_parada_s = 0.5

    def __init__(self, programa: str = ECO, *extra: str) -> None:
        self.puertos = MappingProxyType({"eco": _puerto_bajo()})
        self._argumentos = (programa, extra)
        self.preparado = 0

    def faltan(self) -> list[Requisito]:
        return []

    def preparar(self, sitio: Sitio) -> None:
        self.preparado += 1

    def ordenes(self, sitio: Sitio) -> list[Orden]:
        programa, extra = self._argumentos
        argumentos = [sys.executable, "-c", programa, str(sitio.puertos["eco"]), *extra]
        return [Orden(nombre="eco", argumentos=argumentos, carpeta=sitio.carpeta)]

    def atiende(self, sitio: Sitio) -> bool:
        with conectar(sitio.puertos["eco"]) as conexion:
            return leer(conexion, 4) == b"hola"

    def urls(self, sitio: Sitio) -> dict[str, str]:
        return {"TEST_ECO_URL": f"eco://{ANFITRION}:{sitio.puertos['eco']}"}


@pytest.fixture
def mandar(tmp_path: Path) -> Iterator[Callable[[Servidor], Mando]]:
    mandos: list[Mando] = []

    def mandar(servidor: Servidor) -> Mando:
        mandos.append(Mando(servidor, tmp_path / "datos"))
        return mandos[-1]

    yield mandar
    for mando in mandos:
        mando.parar(borrar=True)


def test_arrancar_lo_que_ya_atiende_no_lo_relanza(mandar: Callable[[Servidor], Mando]) -> None:
    mando = mandar(Eco())
    mando.arrancar()
    pids = mando.pids()
    mando.arrancar()
    assert len(pids) == 1
    assert mando.pids() == pids


def test_dos_que_arrancan_a_la_vez_lanzan_uno(mandar: Callable[[Servidor], Mando]) -> None:
    eco = Eco()
    mandos = [mandar(eco) for _ in range(4)]
    with ThreadPoolExecutor(4) as hilos:
        list(hilos.map(Mando.arrancar, mandos))
    assert eco.preparado == 1
    assert len({tuple(mando.pids()) for mando in mandos}) == 1


def test_parado_y_arrancado_otra_vez_conserva_sus_datos_y_su_url(
    mandar: Callable[[Servidor], Mando], tmp_path: Path
) -> None:
    eco = Eco()
    mando = mandar(eco)
    mando.arrancar()
    urls = mando.urls()
    (tmp_path / "datos" / "eco" / "dato").write_text("7")
    assert mando.parar(borrar=False)
    assert mando.urls() == {}
    assert not mando.parar(borrar=False)
    mando.arrancar()
    assert mando.urls() == urls
    assert (tmp_path / "datos" / "eco" / "dato").read_text() == "7"
    assert eco.preparado == 1


def test_tras_un_kill_9_no_cuenta_como_en_marcha_y_se_rehace(mandar: Callable[[Servidor], Mando]) -> None:
    mando = mandar(Eco())
    mando.arrancar()
    (pid,) = mando.pids()
    os.kill(pid, signal.SIGKILL)
    hasta(lambda: not mando.pids(), "el proceso muerto deje de contar")
    mando.arrancar()
    assert mando.pids() != [pid]


def test_un_pid_rancio_que_ya_es_de_otro_no_se_toca(mandar: Callable[[Servidor], Mando], tmp_path: Path) -> None:
    mando = mandar(Eco())
    mando.arrancar()
    mando.parar(borrar=False)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as ajeno:
        (tmp_path / "datos" / "eco" / "eco.pid").write_text(f"{ajeno.pid}\n")
        assert mando.pids() == []
        assert not mando.parar(borrar=False)
        assert ajeno.poll() is None
        ajeno.communicate(b"\n")


def test_el_que_no_atiende_a_la_senal_acaba_igualmente(mandar: Callable[[Servidor], Mando]) -> None:
    mando = mandar(Eco(ECO, "sordo"))
    mando.arrancar()
    assert mando.parar(borrar=False)
    assert mando.pids() == []


def test_el_que_muere_al_arrancar_lo_dice_con_su_registro(mandar: Callable[[Servidor], Mando]) -> None:
    mando = mandar(Eco("raise SystemExit('me falta una pieza')"))
    with pytest.raises(NoDisponible, match=r"(?s)eco acabó al arrancar.*me falta una pieza"):
        mando.arrancar()
    assert mando.pids() == []


def test_si_su_puerto_es_de_otro_la_primera_vez_toma_otro_y_despues_lo_dice(
    mandar: Callable[[Servidor], Mando],
) -> None:
    eco = Eco()
    with socket.create_server((ANFITRION, eco.puertos["eco"])):
        mando = mandar(eco)
        mando.arrancar()
    tomado = int(mando.urls()["TEST_ECO_URL"].rpartition(":")[2])
    assert tomado != eco.puertos["eco"]

    mando.parar(borrar=False)
    with socket.create_server((ANFITRION, tomado)), pytest.raises(NoDisponible, match=f"otro programa ocupa {tomado}"):
        mando.arrancar()


def test_borrar_no_deja_datos(mandar: Callable[[Servidor], Mando], tmp_path: Path) -> None:
    mando = mandar(Eco())
    mando.arrancar()
    mando.parar(borrar=True)
    assert not (tmp_path / "datos" / "eco").exists()


def test_redis_se_corta_y_vuelve_con_lo_que_tenia_sin_tocar_el_de_los_demas(tmp_path: Path) -> None:
    if not (buscar("redis-server") or os.environ.get("CI")):
        pytest.skip("no hay redis-server; `make servidores` lo instala")
    de_los_demas = servidores.pids("redis")
    try:
        url = servidores.arrancar("redis", tmp_path)["TEST_REDIS_URL"]
        puerto = int(url.removesuffix("/0").rpartition(":")[2])
        assert (tmp_path / "urls.env").read_text() == f"TEST_REDIS_URL={url}\n"
        assert _redis(puerto, b"SET clave 7\r\n") == b"+OK\r\n"
        servidores.parar("redis", tmp_path)
        with pytest.raises(ConnectionRefusedError):
            conectar(puerto)
        assert servidores.urls(tmp_path) == {}
        assert servidores.arrancar("redis", tmp_path) == {"TEST_REDIS_URL": url}
        assert _redis(puerto, b"GET clave\r\n") == b"$1\r\n7\r\n"
    finally:
        servidores.parar("redis", tmp_path, borrar=True)
    assert servidores.pids("redis") == de_los_demas


def test_un_nombre_que_no_existe_se_rechaza_diciendo_los_que_hay(tmp_path: Path) -> None:
    with pytest.raises(servidores.ServidorNoDisponible, match=r"no hay ningún servidor 'mysql'.*postgres"):
        servidores.arrancar("mysql", tmp_path)


def _redis(puerto: int, orden: bytes) -> bytes:
    with conectar(puerto) as conexion:
        conexion.sendall(orden)
        return conexion.recv(100)


def _puerto_bajo() -> int:
    """Uno libre por debajo de los que el sistema reparte, donde hay sitio para buscar otro."""
    for puerto in range(20000 + os.getpid() % 9000, 30000):
        with socket.socket() as prueba:
            if prueba.connect_ex((ANFITRION, puerto)):
                return puerto
    raise AssertionError("no queda ningún puerto libre")

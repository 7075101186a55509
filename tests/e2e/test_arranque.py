"""El lanzador de `make run`, con servicios de mentira: procesos, puertos, señales y terminal de verdad.

Cada servicio mantiene un candado de archivo mientras vive; que el candado quede libre es que el proceso ya no está.
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.terminal import SHELL, existe
from tests.procesos import PLAZO_S, RAIZ, hasta, puerto_libre

from arranque.suite import Suite
from arranque.supervisor import ULTIMAS_LINEAS_S

PARADA_S = 10.0
ANUNCIO = "todo en marcha"

SERVICIO = """
import fcntl, http.server, os, signal, subprocess, sys, threading, time
carpeta, nombre, puerto, modo = sys.argv[1:5]
candado = open(f"{carpeta}/{nombre}.vivo", "w")
fcntl.flock(candado, fcntl.LOCK_EX)
candado.write(str(os.getpid())); candado.flush()
pid_nieto = None
if modo == "con_nieto":
    subprocess.Popen([sys.executable, __file__, carpeta, nombre + "_nieto", "0", "terco"])
class Atiende(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if modo == "nunca_listo" else 200)
        self.end_headers()
        if self.path == "/muere":
            os._exit(3)
    def log_message(self, *_): pass
servidor = http.server.ThreadingHTTPServer(("127.0.0.1", int(puerto)), Atiende)
def parar(*_):
    if modo == "terco":
        return
    print(f"{nombre} para", flush=True)
    if modo == "lento":
        time.sleep(1.5)
    print(f"{nombre} dice adiós", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, parar)
signal.signal(signal.SIGINT, lambda *_: print(f"{nombre} recibió SIGINT", flush=True))
print(f"{nombre} atiende", flush=True)
if modo == "charlatan":
    threading.Thread(target=lambda: [print("blablá " * 20) for _ in iter(int, 1)], daemon=True).start()
servidor.serve_forever()
"""

LANZADOR = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, os.environ["FUENTE"])
from arranque.parada import Parada
parada = Parada()
from arranque.lanzador import lanzar
from arranque.listo import por_http
from arranque.puertos import leer_puerto
from arranque.suite import Proceso, Suite
carpeta = Path(__file__).resolve().parent
def tabla(entorno):
    procesos = []
    for nombre, modo in json.loads(entorno["SERVICIOS"]).items():
        puerto = leer_puerto(entorno, variable=f"{nombre.upper()}_PUERTO", omision=5000, para=nombre, host="127.0.0.1")
        orden = (sys.executable, "servicio.py", str(carpeta), nombre, str(puerto.numero), modo)
        orden = ("./no-existe",) if modo == "no_existe" else orden
        procesos.append(Proceso(nombre=nombre, orden=orden, listo=por_http(puerto, "/readyz"), puerto=puerto))
    return Suite(procesos=tuple(procesos), anuncio="todo en marcha", plazo_listo_s=float(entorno.get("PLAZO_S", 60)),
                 gracia_s=float(entorno.get("GRACIA_S", 7)))
sys.exit(lanzar(tabla, parada=parada, carpeta=carpeta))
"""


class Banco:
    """Una carpeta con el lanzador y los servicios de mentira, y lo que corre en ella."""

    def __init__(self, carpeta: Path) -> None:
        self.carpeta = carpeta
        self.proceso: subprocess.Popen[bytes]
        self.puertos: dict[str, int] = {}
        self._terminal: int | None = None
        (carpeta / "servicio.py").write_text(SERVICIO, encoding="utf-8")
        (carpeta / "lanzador.py").write_text(LANZADOR, encoding="utf-8")

    def entorno(self, servicios: dict[str, str], **otras: str) -> dict[str, str]:
        self.puertos = {nombre: puerto_libre() for nombre in servicios}
        limpio = {nombre: valor for nombre, valor in os.environ.items() if not nombre.startswith(("MAKE", "MFLAGS"))}
        numeros = {f"{nombre.upper()}_PUERTO": str(numero) for nombre, numero in self.puertos.items()}
        return limpio | {"FUENTE": str(RAIZ / "src"), "SERVICIOS": json.dumps(servicios)} | numeros | otras

    def arranca(self, servicios: dict[str, str], **otras: str) -> None:
        """El lanzador solo, en un grupo suyo y con la salida en un archivo."""
        with (self.carpeta / "salida").open("wb") as salida:
            self.proceso = subprocess.Popen(
                [sys.executable, "lanzador.py"],
                cwd=self.carpeta,
                env=self.entorno(servicios, **otras),
                stdin=subprocess.DEVNULL,
                stdout=salida,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def arranca_con_make(self, servicios: dict[str, str], **otras: str) -> None:
        """`make run` en un terminal nuevo, como orden en primer plano de un shell: lo que hace una persona."""
        sello = self.carpeta / "sello"
        sello.touch()
        variables = [f"PY={sys.executable}", f"SUITE={sello}", "ROTO=", f"LANZADOR={self.carpeta / 'lanzador.py'}"]
        maestro, esclavo = pty.openpty()
        self.proceso = subprocess.Popen(
            [sys.executable, "-c", SHELL, str(self.carpeta / "make.pid"), "make", "run", *variables],
            cwd=RAIZ,
            env=self.entorno(servicios, **otras),
            stdin=esclavo,
            stdout=esclavo,
            stderr=esclavo,
        )
        os.close(esclavo)
        self._terminal = maestro

    def teclea(self, teclas: bytes) -> None:
        assert self._terminal is not None
        os.write(self._terminal, teclas)

    def cierra_terminal(self) -> None:
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None

    @property
    def salida(self) -> str:
        archivo = self.carpeta / "salida"
        if self._terminal is not None:
            with archivo.open("ab") as copia, contextlib.suppress(OSError):
                while select.select([self._terminal], [], [], 0)[0] and (trozo := os.read(self._terminal, 65536)):
                    copia.write(trozo)
        return archivo.read_text(encoding="utf-8") if archivo.exists() else ""

    def espera_texto(self, texto: str) -> None:
        hasta(lambda: texto in self.salida, f"se leyera {texto!r}")

    def codigo(self, plazo_s: float = PLAZO_S) -> int:
        """El código de salida, que debe llegar en `plazo_s`. Un terminal al que nadie lee frenaría a quien escribe."""
        hasta(lambda: (self.salida, self.proceso.poll())[1] is not None, "acabara el lanzador", plazo_s)
        return self.proceso.returncode

    def vivos(self) -> list[str]:
        return [archivo.stem for archivo in self.carpeta.glob("*.vivo") if not _libre(archivo)]

    def pids(self) -> list[int]:
        return [int(archivo.read_text()) for archivo in self.carpeta.glob("*.vivo") if "nieto" not in archivo.stem]

    def limpia(self) -> None:
        for archivo in self.carpeta.glob("*.vivo"):
            if not _libre(archivo):
                os.kill(int(archivo.read_text()), signal.SIGKILL)
        if hasattr(self, "proceso"):
            if self.proceso.poll() is None:
                self.proceso.kill()
            self.proceso.wait(PLAZO_S)
        self.cierra_terminal()


def _libre(archivo: Path) -> bool:
    with archivo.open() as candado:
        try:
            fcntl.flock(candado, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def banco(tmp_path: Path) -> Iterator[Banco]:
    banco = Banco(tmp_path)
    yield banco
    banco.limpia()


def sin_huerfanos(banco: Banco, cuantos: int) -> bool:
    assert len(banco.pids()) == cuantos
    return banco.vivos() == [] and not any(existe(pid) for pid in banco.pids())


def test_el_anuncio_sale_una_sola_vez_y_cuando_todos_estan_listos(banco: Banco) -> None:
    banco.arranca({"uno": "normal", "dos": "nunca_listo"})
    banco.espera_texto("dos atiende")
    banco.espera_texto("uno atiende")
    assert ANUNCIO not in banco.salida
    banco.proceso.send_signal(signal.SIGINT)
    assert banco.codigo(PARADA_S) == 0
    assert ANUNCIO not in banco.salida

    banco.arranca({"uno": "normal", "dos": "normal"})
    banco.espera_texto(ANUNCIO)
    banco.proceso.send_signal(signal.SIGINT)
    assert banco.codigo(PARADA_S) == 0
    assert banco.salida.count(ANUNCIO) == 1
    assert banco.salida.index("uno atiende") < banco.salida.index(ANUNCIO)


@pytest.mark.parametrize("senal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_una_senal_al_lanzador_para_a_todos_limpiamente_y_sale_con_0(banco: Banco, senal: signal.Signals) -> None:
    banco.arranca({"uno": "normal", "dos": "con_nieto"})
    banco.espera_texto(ANUNCIO)
    banco.proceso.send_signal(senal)
    assert banco.codigo(PARADA_S) == 0
    assert sin_huerfanos(banco, 2)
    assert "uno dice adiós" in banco.salida
    assert "dos dice adiós" in banco.salida
    assert "Traceback" not in banco.salida


def test_sigint_a_todo_el_grupo_no_llega_a_los_servicios_y_sale_con_0(banco: Banco) -> None:
    banco.arranca({"uno": "normal", "dos": "normal"})
    banco.espera_texto(ANUNCIO)
    os.killpg(banco.proceso.pid, signal.SIGINT)
    assert banco.codigo(PARADA_S) == 0
    assert sin_huerfanos(banco, 2)
    assert "recibió SIGINT" not in banco.salida


def test_un_segundo_ctrl_c_no_estropea_la_parada(banco: Banco) -> None:
    banco.arranca({"uno": "normal", "dos": "lento"})
    banco.espera_texto(ANUNCIO)
    banco.proceso.send_signal(signal.SIGINT)
    banco.espera_texto("dos para")
    banco.proceso.send_signal(signal.SIGINT)
    assert banco.codigo(PARADA_S) == 0
    assert "dos dice adiós" in banco.salida
    assert sin_huerfanos(banco, 2)


def test_una_senal_mientras_se_arranca_no_deja_a_nadie(banco: Banco) -> None:
    banco.arranca({"uno": "normal", "dos": "normal", "tres": "normal"})
    banco.espera_texto("Arrancando")
    banco.proceso.send_signal(signal.SIGINT)
    assert banco.codigo(PARADA_S) == 0
    assert banco.vivos() == []
    assert "Traceback" not in banco.salida.partition("Suite detenida")[2]


def test_a_quien_no_atiende_a_sigterm_se_le_obliga_dentro_del_plazo(banco: Banco) -> None:
    banco.arranca({"uno": "terco", "dos": "terco"}, GRACIA_S="1")
    banco.espera_texto(ANUNCIO)
    banco.proceso.send_signal(signal.SIGINT)
    assert banco.codigo(PARADA_S) == 0
    assert "uno no paró en 1 s" in banco.salida
    assert sin_huerfanos(banco, 2)


def test_los_plazos_de_parada_suman_menos_de_lo_prometido() -> None:
    assert Suite(procesos=(), anuncio="").gracia_s + ULTIMAS_LINEAS_S < PARADA_S


def test_si_un_proceso_muere_solo_se_dice_cual_y_se_para_el_resto(banco: Banco) -> None:
    banco.arranca({"uno": "normal", "dos": "con_nieto"})
    banco.espera_texto(ANUNCIO)
    hasta(lambda: "dos_nieto" in banco.vivos(), "naciera el nieto")
    with socket.create_connection(("127.0.0.1", banco.puertos["dos"])) as conexion:
        conexion.sendall(b"GET /muere HTTP/1.0\r\n\r\n")
    assert banco.codigo(PARADA_S) == 1
    assert banco.salida.rstrip().endswith("Suite detenida: dos terminó por su cuenta, con código 3.")
    assert "uno dice adiós" in banco.salida
    assert sin_huerfanos(banco, 2)


def test_si_matan_a_un_proceso_se_dice_por_que_senal(banco: Banco) -> None:
    banco.arranca({"uno": "normal"})
    banco.espera_texto(ANUNCIO)
    os.kill(banco.pids()[0], signal.SIGKILL)
    assert banco.codigo(PARADA_S) == 1
    assert "uno terminó por su cuenta, por la señal 9" in banco.salida


def test_quien_no_esta_listo_a_tiempo_se_nombra_y_se_para_todo(banco: Banco) -> None:
    banco.arranca({"uno": "normal", "dos": "nunca_listo"}, PLAZO_S="2")
    assert banco.codigo() == 1
    assert "Suite detenida: no estuvo listo en 2 s: dos." in banco.salida
    assert sin_huerfanos(banco, 2)


def test_una_orden_que_no_existe_es_una_frase_y_para_a_los_demas(banco: Banco) -> None:
    banco.arranca({"uno": "normal", "dos": "no_existe"})
    assert banco.codigo() == 1
    assert "dos no se pudo ejecutar (No such file or directory: ./no-existe)" in banco.salida
    assert "Traceback" not in banco.salida.partition("Suite detenida")[2]
    assert banco.vivos() == []


@pytest.mark.parametrize(("host", "escucha"), [("127.0.0.1", True), ("0.0.0.0", True), ("127.0.0.1", False)])
def test_un_puerto_ocupado_es_una_frase_que_lo_nombra_y_no_arranca_nada(banco: Banco, host: str, escucha: bool) -> None:
    with socket.socket() as ocupante:
        ocupante.bind((host, 0))
        if escucha:
            ocupante.listen()
        puerto = ocupante.getsockname()[1]
        banco.arranca({"uno": "normal", "dos": "normal"}, DOS_PUERTO=str(puerto))
        assert banco.codigo() == 1
    frase = f"El puerto {puerto}, para dos, ya está en uso: libérelo o elija otro con DOS_PUERTO.\n"
    assert banco.salida == frase
    assert banco.pids() == []


@pytest.mark.parametrize(
    ("valor", "frase"),
    [
        ("http", "UNO_PUERTO debe ser un puerto entre 1 y 65535, y es 'http'."),
        ("70000", "UNO_PUERTO debe ser un puerto entre 1 y 65535, y es '70000'."),
        ("0", "UNO_PUERTO debe ser un puerto entre 1 y 65535, y es '0'."),
        ("²", "UNO_PUERTO debe ser un puerto entre 1 y 65535, y es '²'."),
    ],
)
def test_una_variable_que_no_es_un_puerto_es_una_frase(banco: Banco, valor: str, frase: str) -> None:
    banco.arranca({"uno": "normal"}, UNO_PUERTO=valor)
    assert banco.codigo() == 1
    assert banco.salida == frase + "\n"


def test_dos_servicios_con_el_mismo_puerto_es_una_frase(banco: Banco) -> None:
    puerto = str(puerto_libre())
    banco.arranca({"uno": "normal", "dos": "normal"}, UNO_PUERTO=puerto, DOS_PUERTO=puerto)
    assert banco.codigo() == 1
    assert banco.salida == f"UNO_PUERTO y DOS_PUERTO piden el mismo puerto, {puerto}.\n"


def test_el_archivo_env_se_lee_y_el_entorno_le_gana(banco: Banco) -> None:
    (banco.carpeta / ".env").write_text("UNO_PUERTO=no\nPLAZO_S=1  # segundos\n", encoding="utf-8")
    banco.arranca({"uno": "nunca_listo"})
    assert banco.codigo() == 1
    assert "no estuvo listo en 1 s: uno" in banco.salida


def test_un_env_ilegible_es_una_frase(banco: Banco) -> None:
    (banco.carpeta / ".env").write_bytes(b"UNO=\xff\xfe\n")
    banco.arranca({"uno": "normal"})
    assert banco.codigo() == 1
    assert banco.salida.startswith("No se puede leer el archivo .env")
    assert len(banco.salida.splitlines()) == 1


def test_si_ya_nadie_lee_la_salida_se_para_todo(banco: Banco) -> None:
    lectura, escritura = os.pipe()
    with (banco.carpeta / "errores").open("wb") as errores:
        banco.proceso = subprocess.Popen(
            [sys.executable, "lanzador.py"],
            cwd=banco.carpeta,
            env=banco.entorno({"uno": "charlatan"}),
            stdout=escritura,
            stderr=errores,
            start_new_session=True,
        )
    os.close(escritura)
    hasta(lambda: b"blabl" in os.read(lectura, 65536), "hablara el servicio")
    os.close(lectura)
    assert banco.codigo(PARADA_S) == 1
    assert sin_huerfanos(banco, 1)
    assert (banco.carpeta / "errores").read_text() == ""


def test_ctrl_c_sobre_make_run_sale_con_0(banco: Banco) -> None:
    banco.arranca_con_make({"uno": "normal", "dos": "normal"})
    banco.espera_texto(ANUNCIO)
    assert "\x1b[" in banco.salida
    banco.teclea(b"\x03")
    assert banco.codigo(PARADA_S) == 0
    assert sin_huerfanos(banco, 2)
    assert "recibió SIGINT" not in banco.salida
    assert "Error" not in banco.salida


def test_dos_ctrl_c_seguidos_sobre_make_run_tambien_salen_con_0(banco: Banco) -> None:
    banco.arranca_con_make({"uno": "normal", "dos": "lento"})
    banco.espera_texto(ANUNCIO)
    banco.teclea(b"\x03")
    banco.espera_texto("dos para")
    banco.teclea(b"\x03")
    assert banco.codigo(PARADA_S) == 0
    assert "dos dice adiós" in banco.salida
    assert sin_huerfanos(banco, 2)


def test_una_senal_al_grupo_de_make_tambien_para_a_todos(banco: Banco) -> None:
    """make muere entonces por la señal, pero no antes de que la suite haya parado."""
    banco.arranca_con_make({"uno": "normal", "dos": "normal"})
    banco.espera_texto(ANUNCIO)
    os.killpg(int((banco.carpeta / "make.pid").read_text()), signal.SIGINT)
    assert banco.codigo(PARADA_S) == 128 + signal.SIGINT
    assert sin_huerfanos(banco, 2)


def test_cerrar_el_terminal_para_a_todos(banco: Banco) -> None:
    banco.arranca_con_make({"uno": "normal", "dos": "normal"})
    banco.espera_texto(ANUNCIO)
    banco.cierra_terminal()
    hasta(lambda: sin_huerfanos(banco, 2), "pararan los servicios", PARADA_S)


def test_make_run_con_un_fallo_sale_distinto_de_0(banco: Banco) -> None:
    banco.arranca_con_make({"uno": "normal"}, UNO_PUERTO="no")
    assert banco.codigo() != 0
    assert "UNO_PUERTO debe ser un puerto" in banco.salida

"""El mandato `seedwork` como proceso: consume, trabaja y para; las letras muertas, de ida y vuelta."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.procesos import PLAZO_S, RAIZ, Proceso, hasta

from seedwork import Mensaje, conectar
from seedwork.infraestructura.brokers import LetraMuerta
from seedwork.infraestructura.codificacion import codificar_evento

APLICACION = """
import os, time
from dataclasses import dataclass
from pathlib import Path
from pydantic import BaseModel
from sqlalchemy.orm import Session
from seedwork import Comando, Mensajeria, Modulo, Reintentos, bootstrap, on_event

DIARIO = Path(os.environ["DIARIO"])
mensajeria = Mensajeria(servicio="tienda")

class Pedido(BaseModel):
    id: int

def anotar(*nota):
    with DIARIO.open("a") as archivo:
        archivo.write(" ".join(map(str, nota)) + "\\n")

@mensajeria.on_event("pedido.creado")
async def facturar(pedido: Pedido) -> None:
    anotar("facturar", pedido.id)

@mensajeria.message_handler(["pago.hecho", "pago.devuelto"])
def cuadrar(pedido: Pedido) -> None:
    anotar("cuadrar", pedido.id)

@mensajeria.message_handler("pesado", auto_start=False)
def pesado(pedido: Pedido) -> None:
    anotar("pesado", pedido.id)

@mensajeria.message_handler("lento", concurrencia=2)
def lento(pedido: Pedido) -> None:
    anotar("empieza", pedido.id)
    time.sleep(0.1)
    anotar("termina", pedido.id)

@mensajeria.message_handler("fragil", reintentos=Reintentos(maximo=1, espera_s=0))
def fragil(pedido: Pedido) -> None:
    if not Path("arreglado").exists():
        raise RuntimeError("todavía no")
    anotar("fragil", pedido.id)

@dataclass(frozen=True, kw_only=True)
class Cobrar(Comando[None]):
    id: int

def cobrar(comando: Cobrar, db: Session) -> None:
    anotar("cobrar", comando.id)

@on_event("pedido.creado")
async def al_crearse(pedido: Pedido) -> Cobrar:
    return Cobrar(id=pedido.id)

@on_event("pedido.creado")
def avisar(pedido: Pedido) -> list[dict]:
    return [{"name": "pago.hecho", "payload": {"id": pedido.id}}]

@on_event("pago.hecho")
def archivar(pedido: Pedido) -> None:
    anotar("archivar", pedido.id)

def sistema():
    pagos = Modulo(nombre="pagos", comandos={Cobrar: cobrar}, consumidores=[al_crearse, avisar])
    archivo = Modulo(nombre="archivo", consumidores=[archivar])
    return bootstrap([pagos, archivo], base_datos="sqlite:///base.db", servicio="tienda")
"""


class Tienda:
    """La aplicación de la prueba y el mandato `seedwork` sobre ella."""

    def __init__(self, carpeta: Path) -> None:
        self.carpeta = carpeta
        self.url = f"embebido:///{carpeta}/broker.db"
        self._diario = carpeta / "diario"
        self._entorno = {"PYTHONPATH": str(RAIZ / "src"), "BROKER_URL": self.url, "DIARIO": str(self._diario)}
        self._procesos: list[Proceso] = []
        (carpeta / "tienda.py").write_text(APLICACION, encoding="utf-8")

    def lanzar(self, *argumentos: str, app: str = "tienda:mensajeria") -> Proceso:
        salida = self.carpeta / f"salida-{len(self._procesos)}"
        orden = [sys.executable, "-W", "error", "-m", "seedwork", *argumentos]
        self._procesos.append(Proceso(orden, {**self._entorno, "SEEDWORK_APP": app}, salida, self.carpeta))
        return self._procesos[-1]

    def corriendo(self, *argumentos: str, app: str = "tienda:mensajeria") -> Proceso:
        proceso = self.lanzar(*argumentos, app=app)
        proceso.espera_texto("trabajador.listo")
        return proceso

    def correr(self, *argumentos: str) -> tuple[int, str, str]:
        """El código, la salida y la salida de errores de un mandato que acaba solo."""
        entorno = {**os.environ, **self._entorno}
        orden = [sys.executable, "-W", "error", "-m", "seedwork", "--app", "tienda:mensajeria", *argumentos]
        hecho = subprocess.run(
            orden,
            cwd=self.carpeta,
            env=entorno,
            capture_output=True,
            text=True,
            timeout=PLAZO_S,
            stdin=subprocess.DEVNULL,
        )
        return hecho.returncode, hecho.stdout, hecho.stderr

    def publicar(self, *mensajes: Mensaje) -> None:
        async def correr() -> None:
            broker = conectar(self.url)
            await broker.publicar(mensajes)
            await broker.cerrar()

        asyncio.run(correr())

    def letras(self) -> list[LetraMuerta]:
        async def correr() -> list[LetraMuerta]:
            broker = conectar(self.url)
            letras = await broker.letras_muertas.listar()
            await broker.cerrar()
            return letras

        return asyncio.run(correr())

    def notas(self) -> list[str]:
        return self._diario.read_text().splitlines() if self._diario.exists() else []

    def cerrar(self) -> None:
        for proceso in self._procesos:
            proceso.matar()


@pytest.fixture
def tienda(tmp_path: Path) -> Iterator[Tienda]:
    tienda = Tienda(tmp_path)
    yield tienda
    tienda.cerrar()


def pedido(topico: str, id: int) -> Mensaje:
    return codificar_evento(topico, {"id": id}, servicio="prueba", clave=str(id))


def uno_de_cada(id: int) -> list[Mensaje]:
    return [pedido(topico, id) for topico in ("pedido.creado", "pago.hecho", "pago.devuelto", "pesado")]


@pytest.mark.capacidad("M10")
@pytest.mark.parametrize(
    ("argumentos", "atendido"),
    [
        (["consumir", "pedido.creado"], {"facturar 1"}),
        (["consumir", "pago.devuelto", "pesado"], {"cuadrar 1", "pesado 1"}),
        (["consumir", "--topic", "pedido.creado", "--topic", "pago.hecho"], {"facturar 1", "cuadrar 1"}),
        (["consumir", "--todos"], {"facturar 1", "cuadrar 1"}),
    ],
)
def test_consume_un_topico_varios_o_todos_y_lo_que_no_es_auto_start_solo_si_se_nombra(
    tienda: Tienda, argumentos: list[str], atendido: set[str]
) -> None:
    proceso = tienda.corriendo(*argumentos)
    tienda.publicar(*uno_de_cada(1))
    esperadas = Counter({nota: 2 if nota == "cuadrar 1" else 1 for nota in atendido})
    hasta(lambda: Counter(tienda.notas()) >= esperadas, f"se leyera {esperadas}; {proceso.salida}")

    assert proceso.parar() == 0, proceso.salida
    assert Counter(tienda.notas()) == esperadas


@pytest.mark.capacidad("M10")
@pytest.mark.parametrize("senal", [signal.SIGTERM, signal.SIGINT])
def test_parado_a_medias_termina_lo_empezado_y_devuelve_el_resto(tienda: Tienda, senal: signal.Signals) -> None:
    tienda.publicar(*[pedido("lento", id) for id in range(30)])
    primero = tienda.corriendo("consumir", "lento")
    hasta(lambda: len(tienda.notas()) >= 6, "avanzara")
    assert primero.parar(senal) == 0, primero.salida
    empezados = [nota.split()[1] for nota in tienda.notas() if nota.startswith("empieza")]
    assert sorted(empezados) == sorted(nota.split()[1] for nota in tienda.notas() if nota.startswith("termina"))
    assert len(empezados) < 30, "se paró antes de acabar"

    segundo = tienda.corriendo("consumir", "lento")
    hasta(lambda: len(tienda.notas()) >= 60, f"se atendieran todos; {segundo.salida}")
    assert segundo.parar() == 0
    assert Counter(tienda.notas()) == Counter(f"{que} {id}" for que in ("empieza", "termina") for id in range(30))


def test_el_trabajador_de_un_modulo_corre_sus_consumidores_y_el_relay(tienda: Tienda) -> None:
    proceso = tienda.corriendo("trabajador", "--modulo", "pagos", app="tienda:sistema")
    tienda.publicar(pedido("pedido.creado", 1))
    hasta(lambda: tienda.notas() == ["cobrar 1"], f"se cobrara; {proceso.salida}")
    assert proceso.parar() == 0, proceso.salida
    assert tienda.notas() == ["cobrar 1"], "el otro módulo no corre aquí"

    entero = tienda.corriendo("trabajador", app="tienda:sistema")
    hasta(lambda: tienda.notas() == ["cobrar 1", "archivar 1"], f"el evento del outbox llegara; {entero.salida}")
    assert entero.parar() == 0


@pytest.mark.capacidad("X05")
def test_las_letras_muertas_se_listan_ven_reenvian_y_descartan(tienda: Tienda) -> None:
    proceso = tienda.corriendo("consumir", "fragil")
    tienda.publicar(*[pedido("fragil", id) for id in range(3)])
    hasta(lambda: len(tienda.letras()) == 3, f"murieran las tres; {proceso.salida}")

    codigo, salida, errores = tienda.correr("letras-muertas", "listar", "--json")
    assert codigo == 0, errores
    por_clave = {letra["clave"]: letra for letra in json.loads(salida)}
    assert (por_clave["0"]["motivo"], por_clave["0"]["intentos"]) == ("RuntimeError: todavía no", 2)
    codigo, salida, _ = tienda.correr("letras-muertas", "ver", por_clave["0"]["id"], "--json")
    assert (codigo, json.loads(json.loads(salida)["cuerpo"])["data"]) == (0, {"id": 0})

    (tienda.carpeta / "arreglado").touch()
    assert tienda.correr("letras-muertas", "reenviar", por_clave["0"]["id"])[0] == 0
    hasta(lambda: tienda.notas() == ["fragil 0"], "se atendiera la reenviada")
    assert tienda.correr("letras-muertas", "descartar", por_clave["1"]["id"])[0] == 0
    assert tienda.correr("letras-muertas", "reenviar", "--suscripcion", "tienda.fragil")[0] == 0
    hasta(lambda: tienda.notas() == ["fragil 0", "fragil 2"], "se atendiera la que quedaba, y no la descartada")
    assert tienda.letras() == []
    assert proceso.parar() == 0


@pytest.mark.parametrize(
    ("argumentos", "codigo", "dice"),
    [
        (["consumir", "nadie"], 2, "Nadie consume 'nadie'"),
        (["letras-muertas", "ver", "9"], 1, "No hay letra muerta '9'"),
    ],
)
def test_el_codigo_de_salida_distingue_el_fallo_del_mal_uso(
    tienda: Tienda, argumentos: list[str], codigo: int, dice: str
) -> None:
    salio, salida, errores = tienda.correr(*argumentos)

    assert (salio, salida) == (codigo, "")
    assert dice in errores


def test_un_broker_inservible_es_un_fallo_con_una_frase(tienda: Tienda) -> None:
    (tienda.carpeta / "broker.db").write_text("no es una base\n" * 200)
    for argumentos in (["consumir", "--todos"], ["letras-muertas", "listar"]):
        proceso = tienda.lanzar(*argumentos)
        assert proceso.termina() == 1
        assert "broker.db no es un broker" in proceso.salida

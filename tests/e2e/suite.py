"""La suite entera para las pruebas: los procesos de la tabla del lanzador, en puertos libres y sobre una carpeta."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw
import grpc
from tests.integracion.sidecar_apoyo import VuelosStub
from tests.procesos import RAIZ, Proceso, hasta, puerto_libre

from arranque.aeroalpes import suite

LISTO_S = 60.0
DESTINATARIO = "ana@clientes.example"


def entorno_de(datos: Path, **variables: str) -> dict[str, str]:
    """El entorno de una suite sola en esta máquina: datos en `datos` y puertos que nadie usa."""
    return {
        "AEROALPES_DATOS": str(datos),
        "AEROALPES_ADDRESS": "127.0.0.1",
        "AEROALPES_PUERTO": str(puerto_libre()),
        "SIDECAR_HOST": "127.0.0.1",
        "SIDECAR_PUERTO": str(puerto_libre()),
        "UI_HOST": "127.0.0.1",
        "UI_PUERTO": str(puerto_libre()),
        "SMTP_URL": "",
        "NOTIFICACIONES_DESTINATARIO": DESTINATARIO,
        **variables,
    }


def reserva_nueva(*, medio: str | None = None, destino: str | None = None) -> dict[str, Any]:
    """El cuerpo de ejemplo que usan los clientes de siempre; si se dicen, pagado con `medio` o a otro destino."""
    cuerpo: dict[str, Any] = json.loads((RAIZ / "src" / "sidecar" / "mensajes" / "crear_reserva.json").read_bytes())
    if medio is not None:
        cuerpo["pago"] = {"medio": medio}
    if destino is not None:
        cuerpo["itinerarios"][0]["odos"][0]["segmentos"][0]["legs"][0]["destino"]["codigo"] = destino
    return cuerpo


class SuiteReal:
    """Los procesos de AeroAlpes sobre `carpeta`; al salir del bloque no queda ninguno."""

    def __init__(self, carpeta: Path, **variables: str) -> None:
        self.datos = carpeta
        self.datos.mkdir(parents=True, exist_ok=True)
        self.entorno = entorno_de(carpeta, **variables)
        self._procesos: list[Proceso] = []
        self._listos: dict[Proceso, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, tipo: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for proceso in self._procesos:
            proceso.matar()

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.entorno['AEROALPES_PUERTO']}"

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.entorno['UI_PUERTO']}"

    @property
    def sidecar(self) -> str:
        return f"127.0.0.1:{self.entorno['SIDECAR_PUERTO']}"

    @property
    def broker(self) -> str:
        return self.entorno.get("BROKER_URL") or f"embebido:///{self.datos}/broker.db"

    @property
    def buzon(self) -> list[Path]:
        return sorted((self.datos / "buzon").glob("*.eml"))

    def lanzar(self, nombre: str, **variables: str) -> Proceso:
        """Empieza un proceso de la tabla, sin esperar a que esté listo."""
        entorno = self.entorno | variables
        (fila,) = (fila for fila in suite(entorno).procesos if fila.nombre == nombre)
        proceso = Proceso(fila.orden, entorno, self.datos / f"{nombre}-{len(self._procesos)}.txt", RAIZ)
        self._procesos.append(proceso)
        self._listos[proceso] = fila.listo
        return proceso

    def esperar(self, *procesos: Proceso) -> None:
        """Vuelve cuando están listos."""
        for proceso in procesos:
            hasta(lambda proceso=proceso: self._listo(proceso), f"un proceso estuviera listo: {self.datos}", LISTO_S)  # type: ignore[misc]

    def arrancar(self, nombre: str, **variables: str) -> Proceso:
        """Un proceso de la tabla, ya listo."""
        proceso = self.lanzar(nombre, **variables)
        self.esperar(proceso)
        return proceso

    def trabajador(self) -> Proceso:
        """El relay y los consumidores en un proceso aparte, sin esperar a que esté listo."""
        salida = self.datos / f"trabajador-{len(self._procesos)}.txt"
        proceso = Proceso([sys.executable, "src/aeroalpes/main.py"], self.entorno, salida, RAIZ)
        self._procesos.append(proceso)
        self._listos[proceso] = lambda _: "trabajador.listo" in proceso.salida
        return proceso

    @contextmanager
    def vuelos(self) -> Iterator[VuelosStub]:
        """El cliente gRPC del sidecar."""
        with grpc.insecure_channel(self.sidecar, options=[("grpc.enable_http_proxy", 0)]) as canal:
            yield VuelosStub(canal)

    def _listo(self, proceso: Proceso) -> bool:
        assert proceso.popen.poll() is None, proceso.salida
        return bool(self._listos[proceso](proceso.popen.pid))

    def consultar(self, sql: str, *valores: Any) -> list[tuple[Any, ...]]:
        """Filas del archivo del broker, leído desde fuera."""
        with _abierto(self.datos / "broker.db") as db:
            return list(db.execute(sql, valores))

    def atendido(self, suscripcion: str, topico: str = "eventos-reserva") -> bool:
        """Si a la suscripción no le queda nada de ese tópico por tomar ni por confirmar."""
        return self.consultar(
            "SELECT c.leido=t.ultimo AND NOT EXISTS (SELECT 1 FROM entregas e WHERE e.suscripcion=s.id)"
            " FROM suscripciones s JOIN topicos t ON t.nombre=? JOIN cursores c ON c.suscripcion=s.id AND c.topico=t.id"
            " WHERE s.nombre=?",
            topico,
            suscripcion,
        ) == [(1,)]

    def entregar_otra_vez(self, suscripcion: str) -> None:
        """Lo que hace un broker que no supo si le acusaron: la suscripción recibe de nuevo todo lo que ya atendió."""
        with _abierto(self.datos / "broker.db") as db:
            db.execute(
                "UPDATE cursores SET leido=0 WHERE suscripcion=(SELECT id FROM suscripciones WHERE nombre=?)",
                (suscripcion,),
            )

    def dar_por_muertos(self) -> None:
        """Adelanta el vencimiento de los consumidores que murieron, para no esperar a que pase su vida."""
        with _abierto(self.datos / "broker.db") as db:
            db.execute("UPDATE consumidores SET vence_ms=0")


@contextmanager
def _abierto(ruta: Path) -> Iterator[apsw.Connection]:
    db = apsw.Connection(str(ruta), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        db.set_busy_timeout(10_000)
        yield db
    finally:
        db.close()

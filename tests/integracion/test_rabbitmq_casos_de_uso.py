"""Lo que papa_events promete en RabbitMQ: cola por caso de uso, cola de reintento y dlq hasta que alguien mire."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.contratos.banco_rabbitmq import consola, vhost_nuevo
from tests.procesos import PLAZO_S, RAIZ, Proceso, hasta

from seedwork import conectar
from seedwork.infraestructura.codificacion import codificar_evento

APLICACION = """
from pathlib import Path
from pydantic import BaseModel
from seedwork import Mensajeria, Reintentos

mensajeria = Mensajeria(servicio="tienda")

class Pedido(BaseModel):
    id: int

def anotar(nota):
    with Path("diario").open("a") as archivo:
        archivo.write(nota + "\\n")

@mensajeria.on_event("pedido.creado", use_case_name="facturar", reintentos=Reintentos(maximo=1))
async def facturar(pedido: Pedido) -> None:
    anotar("intento")
    if not Path("arreglado").exists():
        raise RuntimeError("no hay papel")
    anotar("factura")

@mensajeria.on_event("pedido.*", use_case_name="archivar")
async def archivar(pedido: Pedido) -> None:
    anotar("archivo")
"""


class Tienda:
    """La aplicación, el mandato `seedwork` sobre ella y lo que se ve en la consola de RabbitMQ."""

    def __init__(self, carpeta: Path, url: str) -> None:
        self.carpeta, self.url = carpeta, url
        self._entorno = {"PYTHONPATH": str(RAIZ / "src"), "BROKER_URL": url, "SEEDWORK_APP": "tienda:mensajeria"}
        self._procesos: list[Proceso] = []
        (carpeta / "tienda.py").write_text(APLICACION, encoding="utf-8")

    def consumiendo(self) -> Proceso:
        salida = self.carpeta / f"salida-{len(self._procesos)}"
        orden = [sys.executable, "-W", "error", "-m", "seedwork", "consumir", "--todos"]
        self._procesos.append(Proceso(orden, self._entorno, salida, self.carpeta))
        self._procesos[-1].espera_texto("trabajador.listo")
        return self._procesos[-1]

    def letras(self, *argumentos: str) -> Any:
        hecho = subprocess.run(
            [sys.executable, "-W", "error", "-m", "seedwork", "letras-muertas", *argumentos, "--json"],
            cwd=self.carpeta,
            env={**os.environ, **self._entorno},
            capture_output=True,
            text=True,
            timeout=PLAZO_S,
            stdin=subprocess.DEVNULL,
        )
        assert hecho.returncode == 0, hecho.stderr
        return json.loads(hecho.stdout)

    def publicar(self) -> None:
        async def correr() -> None:
            broker = conectar(self.url)
            # Sin clave no hay orden que guardar: nadie retiene el mensaje mientras espera.
            await broker.publicar([codificar_evento("pedido.creado", {"id": 1}, servicio="prueba")])
            await broker.cerrar()

        asyncio.run(correr())

    def colas(self) -> dict[str, dict[str, Any]]:
        """Las colas por su nombre, como las ve quien abre la consola."""
        with consola() as http:
            opciones = {"disable_stats": "true", "enable_queue_totals": "true"}
            respuesta = http.get(f"queues{urlsplit(self.url).path}", params=opciones)
        return {cola["name"]: cola for cola in respuesta.raise_for_status().json()}

    def en_la_dlq(self) -> int:
        return int(self.colas()["tienda.facturar.dlq"]["messages"])

    @property
    def notas(self) -> list[str]:
        diario = self.carpeta / "diario"
        return sorted(diario.read_text().split()) if diario.exists() else []

    def cerrar(self) -> None:
        for proceso in self._procesos:
            proceso.matar()


@pytest.fixture
def tienda(tmp_path: Path) -> Iterator[Tienda]:
    with vhost_nuevo() as url:
        tienda = Tienda(tmp_path, url)
        try:
            yield tienda
        finally:
            tienda.cerrar()


@pytest.mark.capacidad("P06")
def test_lo_que_falla_espera_en_su_cola_de_reintento_y_queda_en_la_dlq_hasta_que_se_reenvia(tienda: Tienda) -> None:
    proceso = tienda.consumiendo()
    assert {"tienda.facturar", "tienda.facturar.dlq", "tienda.archivar", "tienda.archivar.dlq"} <= tienda.colas().keys()

    tienda.publicar()
    espera = hasta(lambda: tienda.colas().get("tienda.facturar.reintento.10000"), "esperara diez segundos")
    assert espera["arguments"]["x-message-ttl"] == 10_000
    assert tienda.notas == ["archivo", "intento"]
    hasta(lambda: tienda.en_la_dlq() == 1, f"acabara en la dlq; {proceso.salida}")
    assert proceso.parar() == 0, proceso.salida

    otro = tienda.consumiendo()
    assert tienda.notas == ["archivo", "intento", "intento"]
    (letra,) = tienda.letras("listar", "--suscripcion", "tienda.facturar")
    assert (letra["motivo"], letra["intentos"]) == ("RuntimeError: no hay papel", 2)
    assert tienda.en_la_dlq() == 1, "verla no la saca"

    (tienda.carpeta / "arreglado").touch()
    assert tienda.letras("reenviar", letra["id"]) == {"reenviadas": [letra["id"]], "no_estaban": []}
    hasta(lambda: "factura" in tienda.notas, f"se atendiera; {otro.salida}")
    assert tienda.notas == ["archivo", "factura", "intento", "intento", "intento"]
    hasta(lambda: tienda.en_la_dlq() == 0, "saliera de la dlq")
    assert otro.parar() == 0, otro.salida

"""Las capturas del README, hechas por la suite de verdad: `make capturas`.

Arranca los procesos en puertos libres, reserva un viaje que acaba bien y otro que se deshace, y fotografía la página
en una pantalla grande y en un teléfono. Cada imagen va comprimida dentro de un SVG: texto, como todo lo que se guarda.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
from selenium.webdriver import Chrome
from tests.e2e.navegador import abrir_navegador, ajustar, esperar, esperar_a, preferir, todos
from tests.e2e.suite import SuiteReal, reserva_nueva
from tests.procesos import RAIZ

DESTINO = RAIZ / "docs" / "capturas"
MAXIMO_BYTES = 150_000
ESPERA_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Captura:
    """Desde dónde empieza un elemento de la página, `alto_px` como mucho."""

    nombre: str
    titulo: str
    viaje: str
    ancho_px: int
    desde: str
    alto_px: int
    tema: str = "light"


FINALES = {"JFK": "COMPLETADA", "ZZZ": "COMPENSADA"}  # a dónde se vuela, y en qué acaba su saga
CAPTURAS = (
    Captura(
        nombre="aprobada-1920",
        titulo="Una reserva aprobada: los pasos de su saga, el camino que hizo y sus eventos",
        viaje="JFK", ancho_px=1920, desde="body", alto_px=1300,
    ),
    Captura(
        nombre="deshecha-1920",
        titulo="Una reserva sin plazas, en el tema oscuro: el pago ya hecho se devuelve, y dice por qué",
        viaje="ZZZ", ancho_px=1920, desde="body", alto_px=1300, tema="dark",
    ),
    Captura(
        nombre="mapa-1920",
        titulo="El mapa de contextos y tópicos, con lo que ha pasado por cada uno",
        viaje="JFK", ancho_px=1920, desde="#mapa", alto_px=900,
    ),
    Captura(
        nombre="deshecha-360",
        titulo="La misma reserva sin plazas, en un teléfono",
        viaje="ZZZ", ancho_px=360, desde="#recorrido", alto_px=1150,
    ),
    Captura(
        nombre="mapa-360",
        titulo="El mapa, en un teléfono",
        viaje="JFK", ancho_px=360, desde="#mapa", alto_px=1150, tema="dark",
    ),
)  # fmt: skip


def main() -> int:
    DESTINO.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as carpeta, SuiteReal(Path(carpeta, "datos")) as suite:
        suite.esperar(*[suite.lanzar(nombre) for nombre in ("api", "notificaciones", "ui")])
        reservas = {destino: _reservar(suite, destino) for destino in FINALES}
        with abrir_navegador(Path(carpeta, "perfil")) as navegador:
            for captura in CAPTURAS:
                _abrir(navegador, captura, f"{suite.ui}/#reserva={reservas[captura.viaje]}")
                archivo = DESTINO / f"{captura.nombre}.svg"
                archivo.write_text(_retratar(navegador, captura), encoding="utf-8")
                sys.stdout.write(f"{archivo.relative_to(RAIZ)}: {archivo.stat().st_size:,} bytes\n")
    return 0


def _reservar(suite: SuiteReal, destino: str) -> str:
    respuesta = httpx.post(f"{suite.ui}/api/vuelos/reserva", json=reserva_nueva(destino=destino), trust_env=False)
    return str(respuesta.raise_for_status().json()["id"])


def _abrir(navegador: Chrome, captura: Captura, direccion: str) -> None:
    ajustar(navegador, captura.ancho_px, captura.alto_px)
    preferir(navegador, color_scheme=captura.tema, reduced_motion="reduce")
    navegador.get("about:blank")
    navegador.get(direccion)
    esperar(navegador, f'#saga-estado[data-estado="{FINALES[captura.viaje]}"]', ESPERA_S)
    esperar(navegador, '#recorrido [data-evento="correo.enviado"]:last-child', ESPERA_S)
    esperar(navegador, '#mapa[data-listo="si"]', ESPERA_S)
    esperar(navegador, "#letras .cuenta:not(:empty)", ESPERA_S)
    esperar_a(navegador, lambda: len(todos(navegador, "#lista-reservas [data-id]")) == len(FINALES), ESPERA_S)


def _retratar(navegador: Chrome, captura: Captura) -> str:
    """Con la mejor calidad que quepa en `MAXIMO_BYTES`, en una ventana en la que cabe la página entera."""
    ajustar(navegador, captura.ancho_px, navegador.execute_script("return document.documentElement.scrollHeight"))
    medir = "const z = document.querySelector(arguments[0]).getBoundingClientRect(); return [z.top + scrollY, z.height]"
    arriba, alto = navegador.execute_script(medir, captura.desde)
    alto_px = min(round(alto), captura.alto_px)
    zona = {"x": 0, "y": arriba, "width": captura.ancho_px, "height": alto_px, "scale": 1}
    for calidad in range(90, 0, -10):
        foto = navegador.execute_cdp_cmd(
            "Page.captureScreenshot",
            {"format": "webp", "quality": calidad, "clip": zona},
        )
        svg = _svg(foto["data"], captura, alto_px)
        if len(svg) <= MAXIMO_BYTES:
            return svg
    raise SystemExit(f"{captura.nombre} no cabe en {MAXIMO_BYTES} bytes ni con la peor calidad")


def _svg(foto: str, captura: Captura, alto_px: int) -> str:
    ancho_px = captura.ancho_px
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{ancho_px}" height="{alto_px}"'
        f' viewBox="0 0 {ancho_px} {alto_px}" role="img">\n<title>{captura.titulo}</title>\n'
        f'<image width="{ancho_px}" height="{alto_px}" href="data:image/webp;base64,{foto}"/>\n</svg>\n'
    )


if __name__ == "__main__":
    sys.exit(main())

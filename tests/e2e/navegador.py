"""Un Chromium de verdad para las pruebas de la página, y lo que todas hacen con él."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PLAZO_S = 10.0
OPCIONES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=es",
)


@contextmanager
def abrir_navegador(perfil: Path, ancho_px: int = 1280, alto_px: int = 1000) -> Iterator[Chrome]:
    """Un navegador con perfil nuevo y la ventana de ese tamaño; se cierra al salir del bloque.

    Usa el Chromium y el chromedriver del sistema cuando están; si no, los que encuentre Selenium.
    """
    opciones = ChromeOptions()
    for opcion in (*OPCIONES, f"--user-data-dir={perfil}", f"--window-size={ancho_px},{alto_px}"):
        opciones.add_argument(opcion)
    opciones.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    binario = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if binario:
        opciones.binary_location = binario
    try:
        navegador = Chrome(options=opciones, service=Service(executable_path=shutil.which("chromedriver")))
    except WebDriverException as error:
        if binario or os.environ.get("CI"):
            raise
        pytest.skip(
            f"No hay un Chromium con el que abrir la página (en Debian: apt install chromium-driver): {error.msg}"
        )
    try:
        ajustar(navegador, ancho_px, alto_px)
        yield navegador
    finally:
        navegador.quit()


def ajustar(navegador: Chrome, ancho_px: int, alto_px: int) -> None:
    """Fija el tamaño de lo que se ve, que puede ser menor que la ventana mínima del sistema."""
    medidas = {"width": ancho_px, "height": alto_px, "deviceScaleFactor": 1, "mobile": False}
    navegador.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", medidas)


def preferir(navegador: Chrome, **preferencias: str) -> None:
    """Preferencias del sistema, como `color_scheme="dark"` o `reduced_motion="reduce"`."""
    rasgos = [{"name": f"prefers-{nombre.replace('_', '-')}", "value": valor} for nombre, valor in preferencias.items()]
    navegador.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": rasgos})


def uno(navegador: Chrome, selector: str) -> WebElement:
    return navegador.find_element(By.CSS_SELECTOR, selector)


def todos(navegador: Chrome, selector: str) -> list[WebElement]:
    return navegador.find_elements(By.CSS_SELECTOR, selector)


def atributos(navegador: Chrome, selector: str, *nombres: str) -> list[tuple[str, ...]]:
    """Esos atributos de cada elemento que cumple el selector, leídos todos en el mismo instante."""
    leer = "return [...document.querySelectorAll(arguments[0])].map((e) => arguments[1].map((n) => e.getAttribute(n)))"
    return [tuple(valores) for valores in navegador.execute_script(leer, selector, nombres)]


def esperar(navegador: Chrome, selector: str, plazo_s: float = PLAZO_S) -> WebElement:
    """El primer elemento que cumple el selector, cuando aparezca."""
    espera = WebDriverWait(navegador, plazo_s, poll_frequency=0.05)
    encontrados: list[WebElement] = espera.until(lambda _: todos(navegador, selector), f"no apareció {selector}")
    return encontrados[0]


def esperar_a(navegador: Chrome, condicion: Callable[[], Any], plazo_s: float = PLAZO_S) -> Any:
    """El valor de la condición, cuando sea verdadero."""
    return WebDriverWait(navegador, plazo_s, poll_frequency=0.05).until(lambda _: condicion())


def errores_de_consola(navegador: Chrome) -> list[str]:
    """Lo que el navegador ha protestado desde la última vez: excepciones, CSP, recursos que faltan."""
    return [registro["message"] for registro in navegador.get_log("browser") if registro["level"] == "SEVERE"]

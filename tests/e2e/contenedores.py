"""La suite de `docker-compose.yml` para las pruebas: en un proyecto y unos puertos suyos, que se borran al acabar.

Se exige con `CONTENEDORES_EXIGIDOS=1`; sin eso, lo que la pide se salta. Hacen falta docker, docker-compose o el
complemento `docker compose`, y un motor que atienda el API de Docker en un socket (`DOCKER_HOST`, o
`/var/run/docker.sock`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.procesos import RAIZ, hasta, puerto_libre

SERVICIOS = ("api", "trabajador", "sidecar", "notificaciones", "ui", "pulsar", "postgres")
IMAGENES = {
    "aeroalpes.Dockerfile": "aeroalpes/flask",
    "adaptador.Dockerfile": "aeroalpes/adaptador",
    "notificacion.Dockerfile": "aeroalpes/notificacion",
    "ui.Dockerfile": "aeroalpes/ui",
}
PLAZO_S = 600.0  # construir es aparte
CONSTRUIR_S = 1200.0
_ZOCALO = "/var/run/docker.sock"


class Contenedores:
    """Las órdenes que escribe una persona, y lo que el motor sabe de cada contenedor."""

    def __init__(self, compose: list[str], motor: httpx.Client) -> None:
        self._compose = [*compose, "--project-name", f"aeroalpes-prueba-{os.getpid()}"]
        self._motor = motor
        puertos = {nombre: str(puerto_libre()) for nombre in ("AEROALPES_PUERTO", "SIDECAR_PUERTO", "UI_PUERTO")}
        self._entorno = {**os.environ, **puertos, "COMPOSE_HTTP_TIMEOUT": "300", "SMTP_URL": ""}
        self.api = f"http://127.0.0.1:{puertos['AEROALPES_PUERTO']}"
        self.ui = f"http://127.0.0.1:{puertos['UI_PUERTO']}"

    def orden(self, *argumentos: str, plazo_s: float = PLAZO_S) -> str:
        """`docker-compose ARGUMENTOS`: lo que escribió, si salió bien."""
        return self._correr([*self._compose, *argumentos], plazo_s)

    def construir(self) -> None:
        """Las cuatro imágenes, cada una con su `docker build`."""
        for archivo, imagen in IMAGENES.items():
            self._correr(["docker", "build", ".", "-f", archivo, "-t", imagen], CONSTRUIR_S)

    def dentro(self, servicio: str, *argumentos: str) -> str:
        """Lo que escribe una orden dentro de un contenedor del servicio."""
        return self.orden("exec", "-T", servicio, *argumentos)

    def de(self, servicio: str) -> list[dict[str, Any]]:
        """Sus contenedores, también los parados, como los describe el motor."""
        ids = self.orden("ps", "-a", "-q", servicio).split()
        return [self._pedir("GET", f"/containers/{id}/json") for id in ids]

    def imagen(self, nombre: str) -> dict[str, Any]:
        return self._pedir("GET", f"/images/{nombre}/json")

    def esperar_sanos(self, *servicios: str) -> None:
        """Vuelve cuando todos los contenedores de esos servicios pasan su examen de salud."""
        for servicio in servicios:
            hasta(lambda servicio=servicio: self._sanos(servicio), f"{servicio} estuviera sano", PLAZO_S)  # type: ignore[misc]

    def esperar_hechos(self, *servicios: str) -> None:
        """Vuelve cuando los contenedores de esos servicios, que hacen algo y acaban, lo acabaron bien."""
        for servicio in servicios:
            hasta(lambda servicio=servicio: self._hechos(servicio), f"{servicio} acabara bien", PLAZO_S)  # type: ignore[misc]

    def matar(self, servicio: str) -> None:
        """kill -9 al primero de los procesos de un contenedor del servicio; vuelve cuando el motor lo ha levantado.

        Lo mata otro contenedor y no el motor: a quien mata el motor, no lo vuelve a levantar.
        """
        (antes, *_) = self.de(servicio)
        self._en_el_anfitrion(f"import os; os.kill({antes['State']['Pid']}, 9)")

        def otro() -> bool:
            ahora = self._pedir("GET", f"/containers/{antes['Id']}/json")["State"]
            return bool(ahora["Running"]) and ahora["Pid"] not in (0, antes["State"]["Pid"])

        hasta(otro, f"{servicio} volviera solo", PLAZO_S)

    def _correr(self, orden: list[str], plazo_s: float) -> str:
        hecha = subprocess.run(
            orden,
            cwd=RAIZ, env=self._entorno, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=plazo_s,
        )  # fmt: skip
        assert hecha.returncode == 0, f"{orden}: {hecha.stdout[-3000:]}{hecha.stderr[-3000:]}"
        return hecha.stdout

    def _sanos(self, servicio: str) -> bool:
        estados = [contenedor["State"] for contenedor in self.de(servicio)]
        return bool(estados) and all(uno["Running"] and uno["Health"]["Status"] == "healthy" for uno in estados)

    def _hechos(self, servicio: str) -> bool:
        estados = [contenedor["State"] for contenedor in self.de(servicio)]
        return bool(estados) and all(uno["Status"] == "exited" and uno["ExitCode"] == 0 for uno in estados)

    def _en_el_anfitrion(self, programa: str) -> None:
        creado = self._pedir(
            "POST",
            "/containers/create",
            {
                "Image": "aeroalpes/flask",
                "Cmd": ["python", "-c", programa],
                "User": "0",
                "HostConfig": {"PidMode": "host", "Privileged": True, "NetworkMode": "none"},
            },
        )
        ruta = f"/containers/{creado['Id']}"
        try:
            self._pedir("POST", f"{ruta}/start")
            assert self._pedir("POST", f"{ruta}/wait")["StatusCode"] == 0
        finally:
            self._pedir("DELETE", f"{ruta}?force=true")

    def _pedir(self, metodo: str, ruta: str, cuerpo: object = None) -> Any:
        respuesta = self._motor.request(metodo, ruta, json=cuerpo)
        assert respuesta.is_success, respuesta.text
        return respuesta.json() if respuesta.content else None


@contextmanager
def en_contenedores() -> Iterator[Contenedores]:
    """Las imágenes, construidas; nada en marcha. Al salir no queda ni contenedor, ni red, ni volumen."""
    compose, zocalo = _exigidos()
    with httpx.Client(transport=httpx.HTTPTransport(uds=zocalo), base_url="http://docker", timeout=PLAZO_S) as motor:
        contenedores = Contenedores(compose, motor)
        try:
            contenedores.construir()
            yield contenedores
        finally:
            contenedores.orden("down", "--volumes", "--remove-orphans")


def _exigidos() -> tuple[list[str], str]:
    """La orden y el socket del motor; la prueba se salta si no se exigen, y falla si se exigen y faltan."""
    if os.environ.get("CONTENEDORES_EXIGIDOS") != "1":
        pytest.skip("Con contenedores sólo se prueba si se pide: CONTENEDORES_EXIGIDOS=1")
    zocalo = os.environ.get("DOCKER_HOST", f"unix://{_ZOCALO}").removeprefix("unix://")
    if not shutil.which("docker") or not Path(zocalo).is_socket():
        pytest.fail(f"CONTENEDORES_EXIGIDOS=1 y falta la orden docker o un motor en {zocalo} (DOCKER_HOST)")
    return ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"], zocalo

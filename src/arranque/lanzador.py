"""De una tabla de procesos a una suite en marcha: entorno, puertos y vigilancia, con frases en vez de trazas."""

import os
import sys
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from pathlib import Path

from dotenv import dotenv_values

from arranque.parada import Parada
from arranque.puertos import comprobar_libres
from arranque.suite import ArranqueImposible, Suite
from arranque.supervisor import Supervisor
from arranque.terminal import ceder_primer_plano


def lanzar(tabla: Callable[[Mapping[str, str]], Suite], *, parada: Parada, carpeta: Path) -> int:
    """Corre la suite de `tabla` dentro de `carpeta` hasta que se pida parar.

    Código de salida: 0 si paró porque se le pidió, 1 si no se pudo arrancar o algo falló.
    """
    codigo = ceder_primer_plano(parada)
    if codigo is not None:
        return codigo
    os.chdir(carpeta)
    try:
        entorno = leer_entorno(carpeta)
        suite = tabla(entorno)
        comprobar_libres(proceso.puerto for proceso in suite.procesos if proceso.puerto)
    except ArranqueImposible as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Supervisor(suite, entorno=entorno, parada=parada, salida=sys.stdout).correr()


def leer_entorno(carpeta: Path) -> dict[str, str]:
    """Las variables del `.env` de `carpeta`, si lo hay, y encima las del entorno, que ganan."""
    try:
        archivo = dotenv_values(carpeta / ".env")
    except (OSError, ValueError) as error:
        raise ArranqueImposible(f"No se puede leer el archivo .env: {error}") from error
    return {nombre: valor for nombre, valor in archivo.items() if valor is not None} | dict(os.environ)

"""El API REST: `flask --app src/aeroalpes/api run`."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click
from flask import Flask

from aeroalpes.api import cliente, letras_muertas, mapa, pagos, precios_dinamicos, sagas, salud, spec, vuelos
from aeroalpes.composicion import EnMarcha, componer
from aeroalpes.config import leer_configuracion
from aeroalpes.modulos.vuelos.aplicacion.puertos import CursorInvalido
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.presentacion import problemas, servidor

CUERPO_MAXIMO = 1024 * 1024


def create_app(configuracion: Mapping[str, object] | None = None) -> Flask:
    """La aplicación; `configuracion` gana al entorno, con los nombres de sus variables (`DATABASE_URL`, ...).

    Un error de configuración se dice en una frase y sale con código 1 si se arranca desde `flask`; si no, se lanza.
    """
    servidor.escribir_registro()
    try:
        ajustes = leer_configuracion(configuracion)
        bus = componer(ajustes)
    except ErrorDeArranque as error:
        if click.get_current_context(silent=True) is None:
            raise
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from error
    app = Flask(__name__, static_folder=None)
    app.config.update(configuracion or {})
    app.config["MAX_CONTENT_LENGTH"] = CUERPO_MAXIMO
    app.extensions["bus"] = bus
    problemas.instalar(app, {CursorInvalido: 400})
    for modulo in (vuelos, cliente, pagos, precios_dinamicos, sagas, mapa):
        app.register_blueprint(modulo.rutas)
    app.register_blueprint(salud.rutas)
    spec.instalar(app)
    if servidor.es_flask_run():
        servidor.preparar_senales()
    if servidor.atiende_peticiones():
        app.extensions["en_marcha"] = en_marcha = EnMarcha(bus, consumir=ajustes.trabajador == "dentro")
        letras_muertas.instalar(app, en_marcha)
    return app

"""La tabla de procesos de AeroAlpes. Las órdenes son las mismas que el README da para hacerlo a mano."""

import sys
from collections.abc import Mapping
from pathlib import Path

from arranque.listo import por_archivo, por_grpc, por_http
from arranque.puertos import leer_puerto
from arranque.suite import Proceso, Suite


def suite(entorno: Mapping[str, str]) -> Suite:
    """Los cuatro procesos, con los puertos que diga `entorno`. `ArranqueImposible` si un puerto no lo es."""
    api = leer_puerto(
        entorno,
        variable="AEROALPES_PUERTO",
        omision=5000,
        para="el API",
        host=entorno.get("FLASK_RUN_HOST") or "127.0.0.1",
    )
    sidecar = leer_puerto(
        entorno,
        variable="SIDECAR_PUERTO",
        omision=50051,
        para="el sidecar gRPC",
        host=entorno.get("SIDECAR_HOST") or "127.0.0.1",
    )
    ui = leer_puerto(
        entorno, variable="UI_PUERTO", omision=5678, para="la página", host=entorno.get("UI_HOST") or "127.0.0.1"
    )
    datos = Path(entorno.get("AEROALPES_DATOS") or "var")
    python = sys.executable
    return Suite(
        anuncio=f"AeroAlpes está en marcha: http://{ui.alcanzable}:{ui.numero}/  (Ctrl-C la detiene)",
        procesos=(
            Proceso(
                nombre="api",
                orden=(python, "-m", "flask", "--app", "src/aeroalpes/api", "run", "--port", str(api.numero)),
                listo=por_http(api, "/readyz"),
                puerto=api,
            ),
            Proceso(
                nombre="sidecar",
                orden=(python, "src/sidecar/main.py"),
                listo=por_grpc(sidecar),
                puerto=sidecar,
            ),
            Proceso(
                nombre="notificaciones",
                orden=(python, "src/notificaciones/main.py"),
                listo=por_archivo(datos / "notificaciones.listo"),
            ),
            Proceso(
                nombre="ui",
                orden=(python, "src/ui/main.py"),
                listo=por_http(ui, "/readyz"),
                puerto=ui,
            ),
        ),
    )

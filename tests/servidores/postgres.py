"""PostgreSQL: un cluster propio, sin contraseña y sólo por TCP, con la base `aeroalpes`."""

import os
import pwd
import signal
import struct
import subprocess
from pathlib import Path
from types import MappingProxyType

from tests.servidores.base import ANFITRION, NoDisponible, Orden, Requisito, Servidor, Sitio
from tests.servidores.binario import conectar, leer
from tests.servidores.instalar import buscar

BASE = USUARIO = "aeroalpes"
_PROTOCOLO_3 = 196608


class Postgres(Servidor):
    nombre = "postgres"
    puertos = MappingProxyType({"sql": 17432})
    procesos = ("postgres",)
    # Su parada rápida: corta las conexiones en vez de esperarlas.
    senal_parada = signal.SIGINT

    def faltan(self) -> list[Requisito]:
        return (
            []
            if _programa("initdb") and _programa("postgres")
            else [Requisito("PostgreSQL", "postgresql-15", "postgresql@15")]
        )

    def preparar(self, sitio: Sitio) -> None:
        datos = _datos(sitio)
        cuenta = _cuenta()
        if cuenta:
            dueno = pwd.getpwnam(cuenta)
            os.chown(sitio.carpeta, dueno.pw_uid, dueno.pw_gid)
            _exigir_acceso(sitio.carpeta, cuenta)
        _correr(sitio, cuenta, "initdb", "-D", str(datos), "-A", "trust", "-U", USUARIO, "-E", "UTF8", "--no-locale")
        crear = f"CREATE DATABASE {BASE}\n"
        _correr(sitio, cuenta, "postgres", "--single", "-D", str(datos), "postgres", entrada=crear)

    def ordenes(self, sitio: Sitio) -> list[Orden]:
        datos = _datos(sitio)
        # Nadie vive ya en esta carpeta (lo dice su cerrojo); el pid de quien murió a la fuerza puede ser ya de otro.
        (datos / "postmaster.pid").unlink(missing_ok=True)
        ajustes = {
            "listen_addresses": ANFITRION,
            "port": str(sitio.puertos["sql"]),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        opciones = [parte for clave, valor in ajustes.items() for parte in ("-c", f"{clave}={valor}")]
        argumentos = [str(_programa("postgres")), "-D", str(datos), *opciones]
        return [Orden(nombre="postgres", argumentos=argumentos, carpeta=sitio.carpeta, usuario=_cuenta())]

    def atiende(self, sitio: Sitio) -> bool:
        with conectar(sitio.puertos["sql"]) as conexion:
            cuerpo = struct.pack("!i", _PROTOCOLO_3) + f"user\0{USUARIO}\0database\0{BASE}\0\0".encode()
            conexion.sendall(struct.pack("!i", len(cuerpo) + 4) + cuerpo)
            while True:
                tipo, largo = struct.unpack("!ci", leer(conexion, 5))
                leer(conexion, largo - 4)
                if tipo in b"EZ":
                    conexion.sendall(b"X\0\0\0\4")
                    return bool(tipo == b"Z")

    def urls(self, sitio: Sitio) -> dict[str, str]:
        puerto = sitio.puertos["sql"]
        return {"TEST_POSTGRES_URL": f"postgresql+psycopg://{USUARIO}@{ANFITRION}:{puerto}/{BASE}"}


def _datos(sitio: Sitio) -> Path:
    return sitio.carpeta / "datos"


def _programa(nombre: str) -> Path | None:
    return buscar(
        nombre, "/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"
    )


def _cuenta() -> str | None:
    """PostgreSQL se niega a correr como root: lo hace la cuenta que crea su paquete."""
    return "postgres" if os.geteuid() == 0 else None


def _exigir_acceso(carpeta: Path, cuenta: str) -> None:
    prueba = subprocess.run(
        ["/bin/sh", "-c", 'cd "$0" && test -w .', str(carpeta)], cwd="/", user=cuenta, group=cuenta, extra_groups=[],
        capture_output=True, check=False,
    )  # fmt: skip
    if prueba.returncode:
        raise NoDisponible(
            f"la cuenta {cuenta} no puede entrar en {carpeta}: ponga en SERVIDORES_DATOS una carpeta a la que llegue, "
            "por ejemplo bajo /var/tmp."
        )


def _correr(sitio: Sitio, cuenta: str | None, programa: str, *argumentos: str, entrada: str = "") -> None:
    # Lo que `Popen` llama `group` y `extra_groups` sólo lo puede cambiar root.
    como = {"user": cuenta, "group": cuenta, "extra_groups": []} if cuenta else {}
    hecho = subprocess.run(  # type: ignore[call-overload]
        [str(_programa(programa)), *argumentos], cwd=sitio.carpeta, input=entrada, text=True, capture_output=True,
        check=False, **como,
    )  # fmt: skip
    if hecho.returncode:
        raise NoDisponible(f"{programa} falló: {(hecho.stderr or hecho.stdout).strip()[-600:]}")

"""Reconstruir una proyección frente a plegar lo mismo a mano, en la misma base y la misma corrida.

`python -m benchmarks.proyecciones [EVENTOS] [sqlite|postgres]`. La proyección es `demanda`, la de los precios: de cada
cinco eventos, uno cancela una reserva. A mano es leer la bitácora, decodificar cada evento con fastavro y ejecutar el
mismo SQL, ya escrito y con el controlador a secas, en una transacción que no se confirma. Mediana de tres vueltas
alternadas.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
from sqlalchemy import Engine, insert
from tests.integracion.seedwork.bases import base_nueva
from tests.servidores import urls

from aeroalpes.modulos.precios_dinamicos.infraestructura.demanda import proyectar
from aeroalpes.modulos.precios_dinamicos.infraestructura.tablas import metadatos
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos as v1
from seedwork import Modulo
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import codificar, identidad
from seedwork.infraestructura.esquemas import esquema_de
from seedwork.infraestructura.proyecciones.reconstruccion import reconstruir
from seedwork.infraestructura.schema.v1.mensajes import sobre
from seedwork.infraestructura.sistema import Sistema, bootstrap
from seedwork.infraestructura.tablas import bitacora

VUELTAS, RUTAS = 3, 40


def evento(n: int, ids: list[str]) -> Mensaje:
    if n % 5 == 4:
        id = ids[n - 2]
        baja = v1.ReservaCancelada(id_reserva=id, estado="CANCELADA", fecha_actualizacion=n, motivo="Sin plazas")
        registro = v1.EventosReserva(**sobre("ReservaCancelada", "banco"), reserva_cancelada=baja)
    else:
        id = ids[n]
        vuelo = v1.Tramo(origen="BOG", destino=f"X{n % RUTAS:02}", fecha_salida=n, fecha_llegada=n + 1)
        alta = v1.ReservaCreada(id_reserva=id, estado="PENDIENTE", fecha_creacion=n, tramos=[vuelo])
        registro = v1.EventosReserva(**sobre("ReservaCreada", "banco"), reserva_creada=alta)
    return codificar(registro, topico=v1.TOPICO, servicio="banco", clave=id)


def llenar(motor: Engine, cuantos: int) -> None:
    ids = [str(uuid.uuid4()) for _ in range(cuantos)]
    mensajes = [evento(n, ids) for n in range(cuantos)]
    filas = [
        {"topico": m.topico, "id": identidad(m, None), "clave": m.clave, "cabeceras": dict(m.cabeceras),
         "cuerpo": m.cuerpo, "fecha_ms": 0} for m in mensajes
    ]  # fmt: skip
    with motor.begin() as conexion:
        conexion.execute(insert(bitacora), filas)


def a_mano(sistema: Sistema) -> None:
    motor = _motor(sistema)
    esquema = fastavro.parse_schema(esquema_de(v1.EventosReserva).avro)
    marca = "?" if motor.dialect.name == "sqlite" else "%s"
    alta, ruta, mas, baja = (
        sentencia.replace("?", marca)
        for sentencia in (
            "INSERT INTO mano_reservas VALUES (?, ?, false) ON CONFLICT DO NOTHING",
            "INSERT INTO mano_demanda VALUES (?, ?, 0) ON CONFLICT DO NOTHING",
            "UPDATE mano_demanda SET reservas = reservas + ? WHERE origen = ? AND destino = ?",
            "UPDATE mano_reservas SET cancelada = true WHERE id = ? AND NOT cancelada RETURNING rutas",
        )
    )
    with motor.connect() as conexion:
        ejecutar = conexion.connection.driver_connection.execute  # type: ignore[union-attr]
        ejecutar("BEGIN")
        ejecutar(
            "CREATE TEMP TABLE mano_demanda (origen text, destino text, reservas int, PRIMARY KEY (origen, destino))"
        )
        ejecutar("CREATE TEMP TABLE mano_reservas (id text PRIMARY KEY, rutas text NOT NULL, cancelada bool NOT NULL)")
        for (cuerpo,) in ejecutar("SELECT cuerpo FROM bitacora ORDER BY secuencia").fetchall():
            leido: Any = fastavro.schemaless_reader(io.BytesIO(cuerpo), esquema, None)
            if (creada := leido["reserva_creada"]) is not None:
                rutas = [(tramo["origen"], tramo["destino"]) for tramo in creada["tramos"]]
                ejecutar(alta, (creada["id_reserva"], json.dumps(rutas)))
                for una in rutas:
                    ejecutar(ruta, una)
                    ejecutar(mas, (1, *una))
            else:
                ((rutas,),) = ejecutar(baja, (leido["reserva_cancelada"]["id_reserva"],)).fetchall()
                for una in json.loads(rutas):
                    ejecutar(mas, (-1, *una))
        ejecutar("ROLLBACK")


def reconstruida(sistema: Sistema) -> None:
    assert sistema.inquilinos is not None  # noqa: S101 - aquí siempre se da `base_datos`
    for _ in reconstruir(sistema.inquilinos, proyectar):
        pass


def medir(cual: str, url: str, cuantos: int) -> None:
    sistema = bootstrap([Modulo(nombre="precios", consumidores=[proyectar])], base_datos=url, servicio="banco")
    metadatos.create_all(_motor(sistema))
    llenar(_motor(sistema), cuantos)
    caminos: dict[str, Callable[[Sistema], None]] = {"a mano": a_mano, "reconstruir": reconstruida}
    cifras: dict[str, list[float]] = {nombre: [] for nombre in caminos}
    for _ in range(VUELTAS):
        for nombre, camino in caminos.items():
            empezo = time.perf_counter()
            camino(sistema)
            cifras[nombre].append(cuantos / (time.perf_counter() - empezo))
    sistema.cerrar()
    medianas = [statistics.median(valores) for valores in cifras.values()]
    for nombre, valor in zip(cifras, medianas, strict=True):
        sys.stdout.write(f"{cual}, {nombre:12} {valor:10,.0f} eventos/s\n")
    sys.stdout.write(f"{cual}, razón {medianas[1] / medianas[0]:.2f}\n")


def _motor(sistema: Sistema) -> Engine:
    assert sistema.motor is not None  # noqa: S101 - aquí siempre se da `base_datos`
    return sistema.motor


def main(cuantos: int, *bases: str) -> None:
    hay_postgres = {**urls(), **os.environ}.get("TEST_POSTGRES_URL")
    for cual in bases or (("sqlite", "postgres") if hay_postgres else ("sqlite",)):
        with tempfile.TemporaryDirectory() as donde, base_nueva(cual, Path(donde)) as url:
            medir(cual, url, cuantos)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, *sys.argv[2:])

"""Todos los bancos, uno detrás de otro: `make bench`, o `python -m benchmarks [NOMBRE...]`.

Cada uno mide lo suyo y a su rival en la misma corrida y dice la razón entre los dos, que es lo que cuenta: las cifras
sueltas son de esta máquina y de este rato. El banco cuyo servidor no esté en marcha se dice y se salta; los vecinos de
`vecinos.txt` se miden al lado sólo donde estén instalados, que es lo que hace `make bench-vecinos`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

from tests.servidores import urls

NECESITA = {
    "despacho": None,
    "recorrido": None,
    "outbox": "TEST_POSTGRES_URL",
    "reposo": "TEST_POSTGRES_URL",
    "sagas": None,
    "proyecciones": None,
    "redis": "TEST_REDIS_URL",
    "rabbitmq": "TEST_RABBITMQ_URL",
    "kafka": "TEST_KAFKA_URL",
    "pulsar": "TEST_PULSAR_URL",
}


def main(nombres: list[str]) -> int:
    conocidas = {**urls(), **os.environ}
    if ajenos := [nombre for nombre in nombres if nombre not in NECESITA]:
        sys.stderr.write(f"No hay banco {', '.join(ajenos)}; los que hay son {', '.join(NECESITA)}\n")
        return 2
    if importlib.util.find_spec("faststream") is None:
        sys.stdout.write("Sin vecinos al lado: los mide `make bench-vecinos`\n")
    fallidos = 0
    for nombre in nombres or NECESITA:
        variable = NECESITA[nombre]
        if variable is not None and not conocidas.get(variable):
            sys.stdout.write(f"== {nombre}: falta su servidor; arránquelo con `make servidores`\n")
            continue
        sys.stdout.write(f"== {nombre}\n")
        sys.stdout.flush()
        orden = [sys.executable, "-m", f"benchmarks.{nombre}"]
        fallidos += bool(subprocess.run(orden, env=conocidas, check=False).returncode)  # noqa: S603 - de la tabla
    return 1 if fallidos else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

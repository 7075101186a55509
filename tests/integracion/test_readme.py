"""Lo que el README enseña, corrido tal cual."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

from seedwork import Mensajeria

RAIZ = Path(__file__).parents[2]
ESPANOL, INGLES = (RAIZ / nombre for nombre in ("README.md", "README.en.md"))


def _bloques(readme: Path, lenguaje: str) -> list[str]:
    return re.findall(rf"^```{lenguaje}\n(.*?)^```", readme.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_los_dos_readme_ensenan_el_mismo_codigo() -> None:
    assert _bloques(ESPANOL, "python") == _bloques(INGLES, "python") != []


def test_los_dos_readme_dan_las_mismas_ordenes() -> None:
    ordenes = [
        [orden.split("#")[0].strip() for bloque in _bloques(readme, "bash") for orden in bloque.splitlines()]
        for readme in (ESPANOL, INGLES)
    ]
    assert ordenes[0] == ordenes[1] != []


async def test_el_programa_de_veinte_lineas_consume_y_publica(tmp_path: Path) -> None:
    (programa,) = _bloques(ESPANOL, "python")
    (tmp_path / "pedidos.py").write_text(programa, "utf-8")
    proceso = await asyncio.create_subprocess_exec(
        sys.executable, "pedidos.py", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(RAIZ / "src")}
    )
    try:
        async with (
            asyncio.timeout(20),
            Mensajeria(f"embebido:///{tmp_path}/var/broker.db", servicio="prueba") as cliente,
        ):
            facturas = await cliente.leer(["factura.emitida"])
            await cliente.publish_event("pedido.creado", {"id": 1, "total": 9.5}, key_field="id")
            (factura,) = await facturas.recibir(1)
            assert b'"data":{"id":1}' in factura.cuerpo
    finally:
        proceso.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(proceso.wait(), 10) == 0

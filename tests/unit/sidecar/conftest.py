"""El sidecar se importa como cuando corre: con su propia carpeta en sys.path."""

import sys
from pathlib import Path

CARPETA = str(Path(__file__).parents[3] / "src" / "sidecar")

if CARPETA not in sys.path:
    sys.path.append(CARPETA)

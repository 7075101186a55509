"""`python -m seedwork`: el mandato `seedwork`."""

from seedwork.presentacion.cli import main

main()

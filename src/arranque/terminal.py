"""El primer plano del terminal, para que `make run` acabe en 0 tras un Ctrl-C.

El terminal manda el Ctrl-C a todo el grupo en primer plano, y make, si lo recibe, muere por esa señal sin mirar
cómo acabó su orden. Por eso el lanzador sigue en un proceso con grupo propio, que toma el primer plano; este se
queda donde estaba, le reenvía lo que llegue al grupo de make y al final devuelve el terminal.
"""

import contextlib
import os
import signal
import subprocess
import sys

from arranque.parada import Parada


def ceder_primer_plano(parada: Parada) -> int | None:
    """Si este proceso comparte con otros el primer plano, repite su orden en un grupo propio y espera a que acabe.

    Devuelve su código de salida, o None si no hacía falta (no hay terminal, o el grupo ya es suyo) y todo sigue aquí.
    """
    terminal = _terminal_compartido()
    if terminal is None:
        return None
    try:
        hijo = subprocess.Popen([sys.executable, *sys.orig_argv[1:]], process_group=0)  # noqa: S603  (esta misma orden)
        # Quien no está en primer plano recibe SIGTTOU al tocarlo; se ignora después de crear el hijo, que no lo hereda.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, hijo.pid)
        parada.al_recibir(hijo.send_signal)
        codigo = hijo.wait()
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, os.getpgrp())
    finally:
        os.close(terminal)
    return codigo if codigo >= 0 else 128 - codigo


def _terminal_compartido() -> int | None:
    if os.getpgrp() == os.getpid():
        return None
    try:
        terminal = os.open(os.ctermid(), os.O_RDWR)
    except OSError:
        return None
    try:
        if os.tcgetpgrp(terminal) == os.getpgrp():
            return terminal
    except OSError:
        pass
    os.close(terminal)
    return None

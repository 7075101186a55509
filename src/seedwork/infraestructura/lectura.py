"""Leer un mensaje recibido, aunque lo escribiera una versión que sólo conoce el registro de esquemas del broker."""

from __future__ import annotations

from typing import Any

from seedwork.infraestructura.avro_seguro import EsquemaInvalido
from seedwork.infraestructura.brokers import Mensaje, RegistroEsquemas
from seedwork.infraestructura.codificacion import MensajeInvalido, decodificar
from seedwork.infraestructura.esquemas import EsquemaDesconocido, esquema_de


async def leer(mensaje: Mensaje, tipo: Any, esquemas: RegistroEsquemas | None) -> Any:
    """El contenido como `tipo`; los errores, los de `decodificar`.

    Un esquema que aquí no se conoce se le pide a `esquemas`, si el broker tiene registro.
    """
    try:
        return decodificar(mensaje, tipo)
    except EsquemaDesconocido as error:
        avro = None if esquemas is None else await esquemas.buscar(mensaje.topico, error.huella)
        if avro is None:
            raise
    try:
        esquema_de(tipo).admitir(avro)
    except EsquemaInvalido as error:
        raise MensajeInvalido(str(error)) from error
    return decodificar(mensaje, tipo)

"""Limpieza del texto que escriben las personas antes de que entre en un correo."""

import re
import unicodedata

_INVISIBLE_PELIGROSO = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# Los incrustados, anulaciones y aislamientos bidireccionales: uno sin cerrar da la vuelta al resto del correo,
# y un cierre de más rompe el aislamiento que pone la plantilla. Las marcas simples (LRM, RLM) son inofensivas.
_ORDENES_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


def limpiar(texto: str, maximo: int) -> str:
    """Devuelve `texto` en una línea, en NFC y con `maximo` caracteres como mucho (recortado acaba en «…»).

    Los caracteres de control, los saltos de línea y los sustitutos sueltos pasan a ser un espacio; las órdenes
    bidireccionales desaparecen; los espacios seguidos se juntan. El resultado siempre se puede codificar en UTF-8.
    """
    sin_ordenes = _ORDENES_BIDI.sub("", _INVISIBLE_PELIGROSO.sub(" ", texto))
    una_linea = " ".join(unicodedata.normalize("NFC", sin_ordenes).split())
    return una_linea if len(una_linea) <= maximo else una_linea[: maximo - 1].rstrip() + "…"

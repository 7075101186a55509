"""Los errores del sidecar y el código de estado de gRPC que le toca a cada respuesta del API."""

from collections.abc import Mapping
from types import MappingProxyType

import grpc

CODIGO_POR_ESTADO_HTTP: Mapping[int, grpc.StatusCode] = MappingProxyType(
    {
        400: grpc.StatusCode.INVALID_ARGUMENT,
        401: grpc.StatusCode.UNAUTHENTICATED,
        403: grpc.StatusCode.UNAUTHENTICATED,
        404: grpc.StatusCode.NOT_FOUND,
        408: grpc.StatusCode.DEADLINE_EXCEEDED,
        409: grpc.StatusCode.ALREADY_EXISTS,
        413: grpc.StatusCode.INVALID_ARGUMENT,
        415: grpc.StatusCode.INVALID_ARGUMENT,
        422: grpc.StatusCode.INVALID_ARGUMENT,
        429: grpc.StatusCode.UNAVAILABLE,
        500: grpc.StatusCode.INTERNAL,
        502: grpc.StatusCode.UNAVAILABLE,
        503: grpc.StatusCode.UNAVAILABLE,
        504: grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
"""Los demás estados son UNKNOWN: el sidecar no sabe qué quiso decir el API."""

DETALLE_MAXIMO_CARACTERES = 500
"""El mensaje viaja en una cabecera de HTTP/2, que gRPC limita a 8 KiB ya codificada (hasta 12 bytes por carácter)."""


class Fallo(Exception):
    """La llamada no se puede cumplir: el código con que termina y la frase que lo explica."""

    def __init__(self, codigo: grpc.StatusCode, detalle: str) -> None:
        # Un sustituto suelto, legal en JSON, no se puede codificar en UTF-8; y un salto de línea partiría el registro.
        legible = " ".join(detalle.encode(errors="replace").decode().split())
        super().__init__(legible[:DETALLE_MAXIMO_CARACTERES])
        self.codigo = codigo


class EntradaInvalida(Fallo):
    """Lo que mandó el cliente no se puede ni traducir; el API no llegó a enterarse."""

    def __init__(self, detalle: str) -> None:
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, detalle)


class RespuestaIninteligible(Fallo):
    """El API contestó algo que no es lo que promete su contrato."""

    def __init__(self, detalle: str) -> None:
        super().__init__(grpc.StatusCode.INTERNAL, detalle)


class ApiInalcanzable(Fallo):
    """No hay conexión con el API, o no quiere atender ahora."""

    def __init__(self, origen: str, detalle: str) -> None:
        super().__init__(grpc.StatusCode.UNAVAILABLE, f"El API de AeroAlpes en {origen} no está disponible: {detalle}")


class PlazoAgotado(Fallo):
    """El API no contestó dentro del plazo; si era una creación, pudo haberla hecho."""

    def __init__(self, origen: str, plazo_s: float) -> None:
        super().__init__(
            grpc.StatusCode.DEADLINE_EXCEEDED, f"El API de AeroAlpes en {origen} no contestó en {plazo_s:.1f} s"
        )

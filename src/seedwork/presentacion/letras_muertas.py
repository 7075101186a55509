"""Las letras muertas por HTTP: un blueprint de Flask que se registra donde se quiera administrar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from seedwork.infraestructura.brokers import BrokerNoDisponible, LetrasMuertas
from seedwork.infraestructura.codificacion import a_json
from seedwork.infraestructura.hilo import MensajeriaEnHilo
from seedwork.infraestructura.publicador import FueraDeMarcha
from seedwork.presentacion.letras import entera, resumen
from seedwork.presentacion.peticiones import leer_parametros
from seedwork.presentacion.problemas import problema

T = TypeVar("T")
_PLAZO_S = 30.0


class _Filtro(BaseModel):
    suscripcion: str | None = None
    maximo: int = Field(default=100, ge=1, le=1000)


def letras_muertas(en_hilo: MensajeriaEnHilo, *, nombre: str = "letras_muertas") -> Blueprint:
    """Listar, ver, reenviar y descartar letras muertas: todo lo que puede quien llegue hasta aquí.

    `GET /?suscripcion=&maximo=`, `GET /<id>`, `POST /<id>/reenviar`, `DELETE /<id>`: 404 si no existe, 503 si el broker
    no responde. No pregunta quién es nadie: regístrelo donde ya se haya preguntado.
    """
    plano = Blueprint(nombre, __name__)

    def pedir(funcion: Callable[[LetrasMuertas], Awaitable[T]]) -> T:
        async def correr() -> T:
            return await funcion(en_hilo.mensajeria.broker.letras_muertas)

        return en_hilo.pedir(correr, _PLAZO_S)

    @plano.get("/")
    def listar() -> Response:
        filtro = leer_parametros(_Filtro)
        letras = pedir(lambda letras: letras.listar(filtro.suscripcion, maximo=filtro.maximo))
        return _json({"letras": [resumen(letra) for letra in letras]})

    @plano.get("/<path:id>")
    def ver(id: str) -> Response:
        async def abierta(letras: LetrasMuertas) -> dict[str, Any] | None:
            letra = await letras.ver(id)
            return None if letra is None else await entera(letra, en_hilo.mensajeria, en_hilo.mensajeria.broker)

        letra = pedir(abierta)
        return _no_esta() if letra is None else _json(letra)

    @plano.post("/<path:id>/reenviar")
    def reenviar(id: str) -> Response:
        return Response(status=204) if pedir(lambda letras: letras.reenviar(id)) else _no_esta()

    @plano.delete("/<path:id>")
    def descartar(id: str) -> Response:
        return Response(status=204) if pedir(lambda letras: letras.descartar(id)) else _no_esta()

    @plano.errorhandler(BrokerNoDisponible)
    @plano.errorhandler(FueraDeMarcha)
    @plano.errorhandler(TimeoutError)
    def sin_broker(_error: Exception) -> Response:
        return problema(503, "El broker no responde; vuelva a intentarlo")

    return plano


def _json(cuerpo: object) -> Response:
    return Response(a_json(cuerpo), content_type="application/json")


def _no_esta() -> Response:
    return problema(404, "No hay letra muerta con ese id")

"""Un Pulsar propio de una prueba, con TLS y acceso por token: se puede parar y dejar colgado."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import trustme
from cryptography.hazmat.primitives import serialization
from tests import servidores
from tests.procesos import congelar
from tests.servidores.base import Orden, Sitio
from tests.servidores.mando import Mando
from tests.servidores.pulsar import Pulsar

_SECRETO = b"un secreto de pruebas, de bastante mas de 256 bits"


class _PulsarSeguro(Pulsar):
    puertos = MappingProxyType({**Pulsar.puertos, "tls": 17653})

    def ordenes(self, sitio: Sitio) -> list[Orden]:
        ordenes = super().ordenes(sitio)
        carpeta = sitio.carpeta
        ca = trustme.CA()
        certificado = ca.issue_cert("127.0.0.1")
        ca.cert_pem.write_to_path(str(carpeta / "ca.pem"))
        (carpeta / "cadena.pem").write_bytes(b"".join(blob.bytes() for blob in certificado.cert_chain_pems))
        (carpeta / "clave.pem").write_bytes(_en_pkcs8(certificado.private_key_pem.bytes()))
        ajustes = {
            "brokerServicePortTls": sitio.puertos["tls"],
            "tlsCertificateFilePath": carpeta / "cadena.pem",
            "tlsKeyFilePath": carpeta / "clave.pem",
            "authenticationEnabled": "true",
            "authenticationProviders": "org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
            "anonymousUserRole": "anonimo",  # quien no se identifica entra; quien se identifica mal, no
            "tokenSecretKey": f"data:;base64,{base64.b64encode(_SECRETO).decode()}",
        }
        with (carpeta / "standalone.conf").open("a") as archivo:  # lo último vale
            archivo.writelines(f"{nombre}={valor}\n" for nombre, valor in ajustes.items())
        # Vive poco y trabaja poco: con el compilador rápido arranca en menos.
        entorno = {
            nombre: f"{valor} -XX:TieredStopAtLevel=1" if nombre == "PULSAR_EXTRA_OPTS" else valor
            for nombre, valor in ordenes[0].entorno.items()
        }
        return [replace(ordenes[0], entorno=entorno)]


@dataclass(frozen=True)
class PulsarPrivado:
    """Sus datos y sus puertos son los mismos aunque se pare y se arranque."""

    raiz: Path

    def arrancar(self) -> None:
        Mando(_PulsarSeguro(), self.raiz).arrancar()

    def parar(self) -> None:
        servidores.parar("pulsar", self.raiz)

    def borrar(self) -> None:
        servidores.parar("pulsar", self.raiz, borrar=True)

    def congelar(self) -> None:
        for pid in self._pids():
            congelar(pid)

    def descongelar(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    @property
    def url(self) -> str:
        urls = servidores.urls(self.raiz)
        return f"{urls['TEST_PULSAR_URL']}?admin={urls['TEST_PULSAR_ADMIN_URL']}"

    def url_cifrada(self, token: str) -> str:
        """Sin puerto de administración: sólo está abierto el del broker."""
        puerto = json.loads((self.raiz / "pulsar" / "puertos.json").read_text())["tls"]
        ca = self.raiz / "pulsar" / "ca.pem"
        return f"pulsar+ssl://:{token}@127.0.0.1:{puerto}?ca={ca}&admin=http://127.0.0.1:1"

    def _pids(self) -> Sequence[int]:
        return servidores.pids("pulsar", self.raiz)


def token(secreto: bytes = _SECRETO) -> str:
    """Un JWT que ese Pulsar acepta, si se firma con su secreto."""
    partes = [json.dumps(parte).encode() for parte in ({"alg": "HS256"}, {"sub": "prueba"})]
    firmado = b".".join(map(_base64, partes))
    return (firmado + b"." + _base64(hmac.digest(secreto, firmado, hashlib.sha256))).decode()


def _base64(datos: bytes) -> bytes:
    return base64.urlsafe_b64encode(datos).rstrip(b"=")


def _en_pkcs8(pem: bytes) -> bytes:
    return serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

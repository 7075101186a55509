"""Clientes de verdad: sus direcciones HTTP y el estado que anuncian."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integracion.aeroalpes.contexto import en_marcha
from tests.integracion.aeroalpes.reservas import contar, es_problema
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva

from aeroalpes.modulos.cliente.aplicacion.comandos.cambiar_cliente import CambiarCliente
from aeroalpes.modulos.cliente.aplicacion.comandos.crear_cliente import CrearCliente
from aeroalpes.modulos.cliente.aplicacion.comandos.eliminar_cliente import EliminarCliente
from aeroalpes.modulos.cliente.infraestructura.schema.v1 import eventos
from aeroalpes.modulos.cliente.modulo import CLIENTE
from seedwork.dominio.excepciones import YaExiste
from seedwork.infraestructura.sistema import Sistema, bootstrap


def nuevo(**cambios: Any) -> dict[str, Any]:
    return {"nombre": "Águeda Ñáñez", "correo": f"{uuid.uuid4().hex}@ejemplo.co", **cambios}


def crear(http: httpx.Client, **cambios: Any) -> dict[str, Any]:
    respuesta = http.post("/clientes", json=nuevo(**cambios))
    assert respuesta.status_code == 201, respuesta.text
    return dict(respuesta.json())


def test_un_cliente_se_crea_se_lee_se_cambia_y_se_elimina(http: httpx.Client) -> None:
    datos = nuevo()
    respuesta = http.post("/clientes", json=datos)
    assert respuesta.status_code == 201
    cliente = respuesta.json()
    assert uuid.UUID(cliente["id"])
    assert cliente == {**datos, "id": cliente["id"]}
    ruta = respuesta.headers["location"]
    assert ruta == f"/clientes/{cliente['id']}"
    assert http.get(ruta).json() == cliente
    otros = nuevo(nombre="Otra")
    assert http.put(ruta, json=otros).json() == http.get(ruta).json() == {**otros, "id": cliente["id"]}
    assert http.delete(ruta).status_code == 204
    for metodo in ("GET", "DELETE"):
        es_problema(http.request(metodo, ruta), 404)
    es_problema(http.put(ruta, json=nuevo()), 404)


def test_dos_clientes_no_tienen_el_mismo_correo_aunque_cambien_las_mayusculas(http: httpx.Client) -> None:
    uno, otro = crear(http), crear(http)
    es_problema(http.post("/clientes", json=nuevo(correo=uno["correo"].upper())), 409)
    es_problema(http.put(f"/clientes/{otro['id']}", json=nuevo(correo=uno["correo"])), 409)
    assert http.get(f"/clientes/{otro['id']}").json() == otro
    assert http.put(f"/clientes/{uno['id']}", json=nuevo(correo=uno["correo"].upper())).status_code == 200


def test_con_la_misma_clave_se_crea_una_sola_vez(http: httpx.Client) -> None:
    datos, clave = nuevo(), {"Idempotency-Key": uuid.uuid4().hex}
    assert (
        http.post("/clientes", json=datos, headers=clave).json()
        == http.post("/clientes", json=datos, headers=clave).json()
    )
    es_problema(http.post("/clientes", json=nuevo(), headers=clave), 422)


MALOS: list[dict[str, Any]] = [
    {"nombre": "Sin correo"},
    nuevo(nombre=""),
    nuevo(nombre="   "),
    nuevo(nombre="x" * 101),
    nuevo(nombre="con\nsalto"),
    nuevo(nombre=7),
    *[
        nuevo(correo=correo)
        for correo in ("", "a", "a@", "@b", "a@b@c", "a b@c.co", "a@b..co", "a@-b.co", "ñ@b.co", "a@b.co\n", "<a@b.co>")
    ],
    nuevo(correo=f"a@{'b' * 254}"),
]


@pytest.mark.parametrize("malo", MALOS)
def test_lo_que_no_es_un_cliente_es_400_y_no_deja_nada(quieta: tuple[httpx.Client, Path], malo: dict[str, Any]) -> None:
    http, datos = quieta
    antes = contar(datos, "cliente_clientes"), contar(datos, "outbox")
    es_problema(http.post("/clientes", json=malo), 400)
    assert (contar(datos, "cliente_clientes"), contar(datos, "outbox")) == antes


def test_un_cliente_que_no_existe_es_404(http: httpx.Client) -> None:
    es_problema(http.get(f"/clientes/{uuid.uuid4()}"), 404)
    es_problema(http.get("/clientes/no-es-un-uuid"), 404)


async def test_cada_cambio_anuncia_en_orden_el_estado_entero_en_que_queda(tmp_path: Path) -> None:
    id = uuid.uuid4()
    async with en_marcha([CLIENTE], tmp_path, {eventos.TOPICO: eventos.EventosCliente}) as cliente:
        ejecutar = cliente.sistema.ejecutar_async
        await ejecutar(CrearCliente(id=id, nombre="Una", correo="una@ejemplo.co"))
        await ejecutar(CambiarCliente(id=id, nombre="Otra", correo="otra@ejemplo.co"))
        with pytest.raises(YaExiste):
            await ejecutar(CrearCliente(nombre="Más", correo="OTRA@ejemplo.co"))
        await ejecutar(EliminarCliente(id=id))
        await cliente.hasta(lambda: len(cliente.publicados) == 3, "se anunciaran los tres cambios")
    creado, cambiado, eliminado = cliente.publicados
    assert creado.cliente_creado == eventos.ClienteCreado(
        id_cliente=str(id), version=1, nombre="Una", correo="una@ejemplo.co"
    )
    assert cambiado.cliente_cambiado == eventos.ClienteCambiado(
        id_cliente=str(id), version=2, nombre="Otra", correo="otra@ejemplo.co"
    )
    assert eliminado.cliente_eliminado == eventos.ClienteEliminado(id_cliente=str(id), version=3)
    assert cliente.tipos() == ["ClienteCreado", "ClienteCambiado", "ClienteEliminado"]


@pytest.fixture
def sistema(base: str) -> Iterator[Sistema]:
    sistema = bootstrap([CLIENTE], base_datos=base)
    yield sistema
    sistema.cerrar()


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(request.param, tmp_path) as url:
        yield url


@EN_AMBAS
def test_de_muchos_que_piden_a_la_vez_el_mismo_correo_lo_tiene_uno(sistema: Sistema) -> None:
    fallos: list[Exception] = []
    otro = sistema.ejecutar(CrearCliente(nombre="Otro", correo="otro@ejemplo.co"))

    def pedir(n: int) -> None:
        try:
            if n % 2:
                sistema.ejecutar(CrearCliente(nombre="Una", correo="una@ejemplo.co"))
            else:
                sistema.ejecutar(CambiarCliente(id=otro, nombre="Otro", correo="una@ejemplo.co"))
        except YaExiste as error:
            fallos.append(error)

    hilos = [threading.Thread(target=pedir, args=[n]) for n in range(6)]
    for hilo in hilos:
        hilo.start()
    for hilo in hilos:
        hilo.join(30)
    assert len(fallos) in (3, 5)  # los tres cambios son el mismo: o ganan los tres, o gana un alta

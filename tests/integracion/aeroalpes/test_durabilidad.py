"""Lo aceptado no se pierde ni se repite, muera quien muera y cuando muera; y lo que llega por el broker se atiende."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from tests.integracion.aeroalpes.corredor import al_dia, letras_muertas, publicados, publicar
from tests.integracion.aeroalpes.reservas import contar, cuerpo, todas
from tests.integracion.eventos_reserva import crear
from tests.procesos import RAIZ, Aeroalpes, aeroalpes, hasta

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import a_json, codificar
from seedwork.infraestructura.schema.v1.mensajes import sobre


def test_matar_el_api_tras_cada_202_no_pierde_ni_repite_ninguna_reserva(suite: Aeroalpes) -> None:
    aceptadas: set[str] = set()
    for _ in range(2):
        api = suite.api()
        aceptadas |= {api.http.post("/vuelos/reserva-comando", json=cuerpo()).json()["id"] for _ in range(8)}
        api.matar()
    api = suite.api()
    hasta(lambda: len(todas(api.http)) >= 16, "aparecieran las dieciséis", 40)
    hasta(
        lambda: len(set(publicados(suite.datos, "eventos-reserva", "ReservaCreada"))) >= 16, "salieran sus eventos", 20
    )
    assert sorted(reserva["id"] for reserva in todas(api.http)) == sorted(aceptadas)
    assert len(set(publicados(suite.datos, "eventos-reserva", "ReservaCreada"))) == 16


@pytest.mark.parametrize("cuando", ["antes_de_publicar", "despues_de_publicar", "antes_de_acusar"])
def test_un_trabajador_muerto_a_medias_deja_un_solo_efecto(suite: Aeroalpes, cuando: str) -> None:
    muerto = suite.python("-m", "tests.integracion.aeroalpes.muere", cuando, PYTHONPATH=f"{RAIZ / 'src'}:{RAIZ}")
    assert muerto.termina() == 9, muerto.salida
    assert "aceptada" in muerto.salida
    assert contar(suite.datos, "vuelos_reservas") == (1 if cuando == "antes_de_acusar" else 0)
    assert len(publicados(suite.datos, "comandos-reserva", "CrearReserva")) == (
        0 if cuando == "antes_de_publicar" else 1
    )
    trabajador = suite.trabajador()
    hasta(lambda: publicados(suite.datos, "eventos-reserva", "ReservaCreada"), "saliera el evento")
    hasta(lambda: al_dia(suite.datos), "se acusara todo")
    assert trabajador.parar() == 0
    assert contar(suite.datos, "vuelos_reservas") == 1
    assert len(publicados(suite.datos, "eventos-reserva", "ReservaCreada")) == 1
    assert len(set(publicados(suite.datos, "comandos-reserva", "CrearReserva"))) == 1
    assert letras_muertas(suite.datos) == []


def _avro(comando: comandos.ComandosReserva, id: UUID) -> Mensaje:
    return codificar(comando, topico=comandos.TOPICO, servicio="ajeno", clave=str(id))


@pytest.fixture(scope="module")
def vivo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """Un API con su trabajador dentro, y su carpeta de datos."""
    with aeroalpes(tmp_path_factory.mktemp("vivo")) as suite:
        yield suite.api().http, suite.datos


@pytest.mark.capacidad("A08")
@pytest.mark.parametrize("formato", ["avro", "json"])
def test_un_comando_publicado_por_otro_se_ejecuta_una_vez(vivo: tuple[httpx.Client, Path], formato: str) -> None:
    http, datos = vivo
    id = uuid4()
    mensaje = _avro(crear(id), id)
    if formato == "json":
        cabeceras = {"id": str(uuid4()), "type": "CrearReserva", "datacontenttype": "application/json"}
        mensaje = Mensaje(topico=comandos.TOPICO, clave=str(id), cuerpo=a_json(crear(id)), cabeceras=cabeceras)
    antes = len(publicados(datos, "eventos-reserva", "ReservaCreada"))
    publicar(datos, mensaje, mensaje)
    hasta(lambda: len(publicados(datos, "eventos-reserva", "ReservaCreada")) > antes, "saliera su evento")
    hasta(lambda: al_dia(datos), "se acusara todo")
    assert http.get(f"/vuelos/reserva/{id}").status_code == 200
    assert len(publicados(datos, "eventos-reserva", "ReservaCreada")) == antes + 1
    assert letras_muertas(datos) == []


@pytest.mark.capacidad("A08")
@pytest.mark.parametrize("formato", ["avro", "json"])
def test_un_comando_sin_cabecera_alguna_se_ejecuta(vivo: tuple[httpx.Client, Path], formato: str) -> None:
    http, datos = vivo
    id = uuid4()
    cuerpo = a_json(crear(id)) if formato == "json" else _avro(crear(id), id).cuerpo
    publicar(datos, Mensaje(topico=comandos.TOPICO, cuerpo=cuerpo))
    hasta(lambda: http.get(f"/vuelos/reserva/{id}").status_code == 200, "apareciera la reserva")


@pytest.mark.capacidad("A08")
def test_lo_que_no_se_puede_atender_va_a_las_letras_muertas_con_su_motivo_y_lo_demas_sigue(
    vivo: tuple[httpx.Client, Path],
) -> None:
    http, datos = vivo
    bueno, repetido = uuid4(), uuid4()
    sin_adulto = _avro(crear(uuid4(), pasajeros=["MENOR"]), uuid4())
    avro, json = dict(sin_adulto.cabeceras), {"datacontenttype": "application/json"}
    malos = {
        "Los bytes no son": Mensaje(topico=comandos.TOPICO, cuerpo=b"\x00\xff basura", cabeceras=avro),
        "JSON": Mensaje(topico=comandos.TOPICO, cuerpo=b"{no es json", cabeceras=json),
        "no está publicado aquí": Mensaje(
            topico=comandos.TOPICO, cuerpo=sin_adulto.cuerpo, cabeceras={**avro, "dataschema": "urn:avro:x:0"}
        ),
        "al menos un adulto": sin_adulto,
        "al menos un itinerario": _avro(crear(uuid4(), itinerarios=[]), uuid4()),
        "GATO": _avro(crear(uuid4(), pasajeros=["GATO"]), uuid4()),
        "UUID": _avro(crear("no soy un uuid"), uuid4()),
        "trae 0 variantes": _avro(comandos.ComandosReserva(**sobre("Nada", "ajeno")), uuid4()),
        "Ya existe Reserva": _avro(crear(repetido), repetido),
    }
    publicar(datos, _avro(crear(repetido), repetido), *malos.values(), _avro(crear(bueno), bueno))
    hasta(lambda: len(letras_muertas(datos)) >= len(malos), "se apartaran")
    apartados = {motivo: [x.mensaje.cuerpo for x in letras_muertas(datos) if motivo in x.motivo] for motivo in malos}
    assert apartados == {motivo: [malo.cuerpo] for motivo, malo in malos.items()}
    for id in (bueno, repetido):
        hasta(lambda r=f"/vuelos/reserva/{id}": http.get(r).status_code == 200, "se atendieran los buenos")
    assert http.get("/readyz").status_code == 200
    assert http.post("/vuelos/reserva", json=cuerpo()).status_code == 200

"""La fuente real de la página: el proceso ui sobre el broker embebido."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.e2e.suite import SuiteReal
from tests.integracion.espectador import mirando
from tests.integracion.eventos_reserva import aprobacion_fallida, aprobada, conectado, creada, crear
from tests.procesos import hasta, puerto_libre

from aeroalpes.modulos.pagos.infraestructura.schema.v1 import eventos as pagos
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import codificar, codificar_evento
from seedwork.infraestructura.lectura import leer
from seedwork.infraestructura.schema.v1.mensajes import sobre
from ui.fuente import a_cloudevent

TABLAS = ("suscripciones", "cursores", "entregas", "consumidores", "letras_muertas")


def correo(id_reserva: str) -> Mensaje:
    datos = {"id_reserva": id_reserva, "destinatario": "ana@clientes.example", "asunto": "Hola", "aviso": "creada"}
    return codificar_evento("correo.enviado", datos, servicio="notificaciones", clave=id_reserva)


async def publicar(suite: SuiteReal, *mensajes: Mensaje) -> None:
    async with conectado(suite.broker) as broker:
        await broker.publicar(mensajes)


async def contar(mensaje: Mensaje) -> dict[str, Any] | None:
    return await a_cloudevent(mensaje, partial(leer, esquemas=None))


def listo(suite: SuiteReal) -> tuple[int, dict[str, Any]]:
    respuesta = httpx.get(f"{suite.ui}/readyz", trust_env=False)
    return respuesta.status_code, respuesta.json()


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[SuiteReal]:
    with SuiteReal(tmp_path) as suite:
        yield suite


@pytest.mark.parametrize("mensaje", [creada(), correo(str(uuid4()))], ids=["avro", "json"])
async def test_ningun_mensaje_estropeado_tumba_la_fuente(mensaje: Mensaje) -> None:
    azar = random.Random(7)  # noqa: S311
    for _ in range(2_000):
        cuerpo, cabeceras = bytearray(mensaje.cuerpo), dict(mensaje.cabeceras)
        for _ in range(azar.randint(1, 4)):
            cuerpo[azar.randrange(len(cuerpo))] = azar.randrange(256)
        if azar.random() < 0.5:
            cabeceras[azar.choice(list(cabeceras))] = azar.choice(["", "?", "application/json", "application/avro"])
        if azar.random() < 0.2:
            del cabeceras[azar.choice(list(cabeceras))]
        evento = await contar(replace(mensaje, cuerpo=bytes(cuerpo[: azar.randint(1, 400)]), cabeceras=cabeceras))
        assert evento is None or json.dumps(evento)


async def test_el_evento_lleva_los_atributos_de_cloudevents_y_sus_datos() -> None:
    mensaje = creada()
    evento = await contar(mensaje)
    assert evento is not None
    assert evento["data"] == {
        "id_reserva": mensaje.clave, "id_cliente": None, "estado": "PENDIENTE", "fecha_creacion": 1_700_000_000_000,
        "tramos": None, "monto": None,
    }  # fmt: skip
    assert (evento["type"], evento["subject"], evento["specversion"]) == ("ReservaCreada", mensaje.clave, "1.0")
    assert evento["datacontenttype"] == "application/json"
    assert {"id", "source", "time"} <= evento.keys()


async def test_al_navegador_no_llega_con_que_se_paga_ni_lo_que_dice_un_comando() -> None:
    pagada_con = await contar(creada(medio_pago="tok_secreto"))
    assert pagada_con is not None
    assert "tok_secreto" not in json.dumps(pagada_con)
    id = uuid4()
    comando = codificar(crear(id, medio_pago="tok_secreto"), topico="comandos-reserva", servicio="x", clave=str(id))
    pedida = await contar(comando)
    assert pedida is not None
    assert (pedida["type"], pedida["subject"], pedida["data"]) == ("CrearReserva", str(id), {})


async def test_lo_que_los_contextos_se_dicen_entre_si_va_marcado_y_lo_que_oye_cualquiera_no() -> None:
    async def interno(mensaje: Mensaje) -> bool:
        evento = await contar(mensaje)
        assert evento is not None
        return bool(evento.get("interno", False))

    pago = pagos.PagoRechazado(id_reserva="r", motivo="Sin fondos", fecha_actualizacion=1)
    rechazado = pagos.EventosPago(**sobre("PagoRechazado", "x"), pago_rechazado=pago)
    assert await interno(codificar(rechazado, topico=pagos.TOPICO, servicio="x", clave="r"))
    assert await interno(aprobacion_fallida(uuid4()))
    assert not await interno(creada())
    assert not await interno(correo("r"))


async def test_con_dos_procesos_todos_ven_todo_el_que_muere_no_deja_nada_y_a_su_vuelta_nadie_perdio_nada(
    suite: SuiteReal,
) -> None:
    otra_ui = str(puerto_libre())
    antes = [creada() for _ in range(3)]
    await publicar(suite, *antes)
    uno, otro = suite.lanzar("ui"), suite.lanzar("ui", UI_PUERTO=otra_ui)
    await asyncio.to_thread(suite.esperar, uno, otro)
    vacias = {tabla: [(0,)] for tabla in TABLAS}

    def filas() -> dict[str, Any]:
        return {tabla: suite.consultar(f"SELECT count(*) FROM {tabla}") for tabla in TABLAS}  # noqa: S608

    async with mirando(suite.ui, "") as ana, mirando(f"http://127.0.0.1:{otra_ui}", "") as luis:
        nuevos = [m for m in (creada() for _ in range(20)) for m in (m, aprobada(UUID(m.clave)), correo(str(m.clave)))]
        estropeado = replace(creada(), cuerpo=b"\xff")
        await publicar(suite, *nuevos[:30], estropeado, *nuevos[30:])
        esperados = [m.cabeceras["id"] for m in antes + nuevos]
        for quien in (ana, luis):
            await quien.hasta(lambda quien=quien: len(quien.ids) >= len(esperados), "llegara todo")  # type: ignore[misc]
            assert quien.ids == esperados
        uno.espera_texto("evento_ilegible")
        assert "Traceback" not in uno.salida

        otro.matar()
        assert filas() == vacias
        mas = [creada() for _ in range(50)]
        await publicar(suite, *mas)
        await ana.hasta(lambda: len(ana.ids) == len(esperados) + 50, "llegara lo demás")
        assert filas() == vacias

    ultimo_visto = ana.ids[-30]
    uno.matar()
    despues = [creada() for _ in range(5)]
    await publicar(suite, *despues)
    await asyncio.to_thread(suite.arrancar, "ui")
    async with mirando(suite.ui, ultimo_visto) as ana_otra_vez:
        esperados = ana.ids[-29:] + [m.cabeceras["id"] for m in despues]
        await ana_otra_vez.hasta(lambda: len(ana_otra_vez.ids) >= len(esperados), "llegara lo que se perdió")
        assert ana_otra_vez.ids == esperados


async def test_con_el_broker_ilegible_no_esta_lista_y_se_recupera_cuando_se_puede_leer(suite: SuiteReal) -> None:
    archivo = suite.datos / "broker.db"
    archivo.write_bytes(b"esto no es una base de datos" * 100)
    ui = suite.lanzar("ui")
    hasta(lambda: "fuente_caida" in ui.salida, "protestara")
    estado, cuerpo = listo(suite)
    assert estado == 503
    assert "no es un broker embebido" in cuerpo["fuente"]

    archivo.unlink()
    evento = creada()
    await publicar(suite, evento)
    async with mirando(suite.ui, "") as ana:
        await ana.hasta(lambda: ana.ids == [evento.cabeceras["id"]], "se recuperara")
    assert listo(suite)[0] == 200
    assert ui.parar() == 0

"""El contrato de un broker, escrito contra el puerto: las mismas pruebas para todos."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contratos.banco import PLAZO_S, Banco, cuerpos, letras, mensajes, nada, tomar
from tests.procesos import RAIZ, Proceso

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import (
    Broker,
    BrokerCerrado,
    Entrega,
    Mensaje,
    MensajeNoPublicable,
    Suscripcion,
    conectar,
)

# --- publicar y repartir --------------------------------------------------------------------------------------------


async def test_lo_publicado_y_acusado_llega_entero_por_otra_conexion(banco: Banco) -> None:
    topico = banco.topico()
    enviado = Mensaje(topico=topico, cuerpo=b"\x00\xff", clave="k", cabeceras={"id": "1", "type": "creación"})
    await banco.broker().publicar([enviado])

    [entrega] = await tomar(await banco.broker().suscribir(banco.suscripcion(), [topico]), 1)

    assert entrega.mensaje == enviado
    assert (entrega.intentos, entrega.sospechosa) == (0, False)


async def test_publicar_nada_no_hace_nada(banco: Banco) -> None:
    await banco.broker().publicar([])


async def test_cada_suscripcion_recibe_su_copia(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    suscripciones = [await broker.suscribir(banco.suscripcion(nombre), [topico]) for nombre in "ab"]
    await broker.publicar(mensajes(topico, 3))

    for suscripcion in suscripciones:
        assert cuerpos(await tomar(suscripcion, 3)) == ["0", "1", "2"]


async def test_los_consumidores_de_una_suscripcion_se_reparten_los_mensajes(banco: Banco) -> None:
    topico = banco.topico()
    consumidores = [await banco.broker().suscribir(banco.suscripcion(), [topico]) for _ in range(2)]
    await banco.broker().publicar(mensajes(topico, 60))
    de_cada_uno = [await tomar(consumidor, 5) for consumidor in consumidores]

    async def consumir(suscripcion: Suscripcion, suyas: list[Entrega]) -> None:
        while True:  # sin confirmar: lo que uno tiene no es del otro
            suyas += await suscripcion.recibir(1)

    tareas = [asyncio.create_task(consumir(*par)) for par in zip(consumidores, de_cada_uno, strict=True)]
    async with asyncio.timeout(PLAZO_S):
        while sum(map(len, de_cada_uno)) < 60:
            await asyncio.sleep(0.02)
    assert all(await asyncio.gather(*(_sigue_sin_recibir(tarea) for tarea in tareas)))

    assert sorted(int(c) for suyas in de_cada_uno for c in cuerpos(suyas)) == list(range(60))


async def _sigue_sin_recibir(tarea: asyncio.Task[None]) -> bool:
    hechas, _ = await asyncio.wait([tarea], timeout=0.2)
    tarea.cancel()
    await asyncio.gather(tarea, return_exceptions=True)
    return not hechas


async def test_lo_confirmado_no_vuelve(banco: Banco) -> None:
    broker, topico, nombre = banco.broker(), banco.topico(), banco.suscripcion()
    suscripcion = await broker.suscribir(nombre, [topico])
    await broker.publicar(mensajes(topico, 2))
    await suscripcion.confirmar(await tomar(suscripcion, 2))
    await suscripcion.cerrar()

    assert await nada(await broker.suscribir(nombre, [topico]))


async def test_quien_espera_recibe_lo_que_se_publica_despues_enseguida(banco: Banco) -> None:
    topico = banco.topico()
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [topico])
    espera = asyncio.create_task(suscripcion.recibir(1))
    await asyncio.sleep(0.05)
    empezo = time.monotonic()
    await banco.broker().publicar(mensajes(topico, 1))

    assert cuerpos(await espera) == ["0"]
    assert time.monotonic() - empezo < 0.5


async def test_una_suscripcion_nueva_empieza_por_lo_mas_viejo(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    await broker.publicar(mensajes(topico, 3))

    assert cuerpos(await tomar(await broker.suscribir(banco.suscripcion(), [topico]), 3)) == ["0", "1", "2"]


async def test_desde_el_fin_solo_llega_lo_posterior(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    await broker.publicar(mensajes(topico, 3))
    suscripcion = await broker.suscribir(banco.suscripcion(), [topico], desde="fin")
    await broker.publicar(mensajes(topico, 1, desde=3))

    assert cuerpos(await tomar(suscripcion, 1)) == ["3"]


@pytest.mark.parametrize(
    ("patron", "atendidos"),
    [
        ("pedido.creado", {"pedido.creado"}),
        ("pedido.*", {"pedido.creado", "pedido.pagado"}),
        ("*.creado", {"pedido.creado", "usuario.creado"}),
        ("pedido.#", {"pedido", "pedido.creado", "pedido.pagado", "pedido.linea.creada"}),
        ("#.creada", {"pedido.linea.creada"}),
    ],
)
async def test_los_comodines_valen_tambien_para_topicos_que_aparecen_despues(
    banco: Banco, patron: str, atendidos: set[str]
) -> None:
    nombres = ["pedido", "pedido.creado", "pedido.pagado", "pedido.linea.creada", "usuario.creado"]
    broker = banco.broker()
    antes = [Mensaje(topico=banco.topico(nombre), cuerpo=b"antes") for nombre in nombres]
    despues = [Mensaje(topico=banco.topico(nombre), cuerpo=b"despues") for nombre in nombres]

    await broker.publicar(antes[:2])
    suscripcion = await broker.suscribir(banco.suscripcion(), [banco.topico(patron)])
    await broker.publicar(antes[2:])
    await broker.publicar(despues)

    recibidos = await tomar(suscripcion, 2 * len(atendidos))
    assert Counter(e.mensaje.topico for e in recibidos) == {banco.topico(nombre): 2 for nombre in atendidos}
    assert await nada(suscripcion, 0.1)


async def test_un_patron_mal_escrito_es_un_error_que_lo_nombra(banco: Banco) -> None:
    with pytest.raises(ErrorDeArranque, match=r"pedido\.\*\*"):
        await banco.broker().suscribir(banco.suscripcion(), ["pedido.**"])


# --- orden ----------------------------------------------------------------------------------------------------------


async def test_una_clave_esta_en_manos_de_un_solo_consumidor_a_la_vez(banco: Banco) -> None:
    topico = banco.topico()
    uno, otro = [await banco.broker().suscribir(banco.suscripcion(), [topico]) for _ in range(2)]
    await banco.broker().publicar(mensajes(topico, 2, "k"))

    quien, el_otro, primero = await _el_primero_que_reciba(uno, otro)
    assert cuerpos(primero) == ["0"]
    assert await nada(el_otro)
    await quien.confirmar(primero)

    quien, _, siguiente = await _el_primero_que_reciba(uno, otro)
    assert cuerpos(siguiente) == ["1"]
    await quien.confirmar(siguiente)


async def _el_primero_que_reciba(uno: Suscripcion, otro: Suscripcion) -> tuple[Suscripcion, Suscripcion, list[Entrega]]:
    """Quién recibió un mensaje, quién no, y el mensaje: a cuál le toca una clave lo decide el broker."""
    del_uno, del_otro = asyncio.create_task(uno.recibir(1)), asyncio.create_task(otro.recibir(1))
    await asyncio.wait([del_uno, del_otro], return_when=asyncio.FIRST_COMPLETED, timeout=PLAZO_S)
    for tarea in (del_uno, del_otro):
        tarea.cancel()
    await asyncio.gather(del_uno, del_otro, return_exceptions=True)
    [hecha] = [tarea for tarea in (del_uno, del_otro) if not tarea.cancelled()]
    return (uno, otro, hecha.result()) if hecha is del_uno else (otro, uno, hecha.result())


async def test_el_orden_por_clave_se_conserva_con_consumidores_que_entran_devuelven_y_se_van(banco: Banco) -> None:
    azar, topico, claves, por_clave = random.Random(7), banco.topico(), "abcde", 60  # noqa: S311 - repetible
    todos = [Mensaje(topico=topico, cuerpo=f"{k}{i}".encode(), clave=k) for i in range(por_clave) for k in claves]
    await banco.broker().publicar(todos[: len(todos) // 2])
    hechos: dict[str, list[int]] = defaultdict(list)
    en_manos: dict[str, int] = {}

    async def consumidor(yo: int) -> None:
        while sum(map(len, hechos.values())) < len(todos):
            suscripcion = await banco.broker().suscribir(banco.suscripcion(), [topico])
            for _ in range(azar.randint(1, 6)):  # y luego se va, y entra otro
                try:
                    async with asyncio.timeout(0.2):
                        entregas = await suscripcion.recibir(azar.randint(1, 9))
                except TimeoutError:
                    break
                for entrega in entregas:
                    clave = entrega.mensaje.clave or ""
                    assert en_manos.setdefault(clave, yo) == yo, "una clave en dos manos"
                corte = azar.randint(0, len(entregas))
                await asyncio.sleep(0)
                for entrega in entregas[:corte]:
                    hechos[entrega.mensaje.clave or ""].append(int(entrega.mensaje.cuerpo[1:]))
                for clave in {e.mensaje.clave or "" for e in entregas}:
                    del en_manos[clave]
                await suscripcion.confirmar(entregas[:corte])
                await suscripcion.devolver(entregas[corte:])
            await suscripcion.cerrar()

    async with asyncio.timeout(30):
        consumidores = [asyncio.create_task(consumidor(yo)) for yo in range(3)]
        await banco.broker().publicar(todos[len(todos) // 2 :])
        await asyncio.gather(*consumidores)

    assert hechos == {clave: list(range(por_clave)) for clave in claves}


async def test_lo_que_deja_un_consumidor_que_se_va_lo_toma_otro_en_orden(banco: Banco) -> None:
    broker, topico, nombre = banco.broker(), banco.topico(), banco.suscripcion()
    uno = await broker.suscribir(nombre, [topico])
    await broker.publicar(mensajes(topico, 5, "k"))
    await tomar(uno, 3)
    otro = await broker.suscribir(nombre, [topico])
    await uno.cerrar()

    assert cuerpos(await tomar(otro, 5)) == ["0", "1", "2", "3", "4"]


async def test_lo_de_una_clave_exceptuada_espera_y_lo_demas_pasa(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    suscripcion = await broker.suscribir(banco.suscripcion(), [topico])
    await broker.publicar([*mensajes(topico, 30, "retenida"), *mensajes(topico, 2, "libre"), *mensajes(topico, 1)])

    libres: list[Entrega] = []
    async with asyncio.timeout(PLAZO_S):
        while len(libres) < 3:
            libres += await suscripcion.recibir(5, {"retenida"})
    assert cuerpos([e for e in libres if e.mensaje.clave == "libre"]) == ["0", "1"]
    assert cuerpos([e for e in libres if e.mensaje.clave is None]) == ["0"]
    assert cuerpos(await tomar(suscripcion, 30)) == [str(i) for i in range(30)]


# --- responder ------------------------------------------------------------------------------------------------------


async def test_reintentar_vuelve_pasada_la_espera_a_esa_suscripcion_sola_y_no_frena_a_los_demas(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    una, otra = [await broker.suscribir(banco.suscripcion(n), [topico]) for n in ("una", "otra")]
    await broker.publicar(mensajes(topico, 3))
    [entrega, *demas] = await tomar(una, 3)
    empezo = time.monotonic()
    await una.reintentar(entrega, 1.5)
    await una.confirmar(demas)
    await otra.confirmar(await tomar(otra, 3))
    await broker.publicar(mensajes(topico, 1, desde=3))

    assert cuerpos(await tomar(una, 1, 1.0)) == ["3"]
    [repetida] = await tomar(una, 1)
    assert 1.4 <= time.monotonic() - empezo <= 2.5
    assert repetida.mensaje == entrega.mensaje
    assert (repetida.intentos, repetida.sospechosa) == (1, False)
    assert cuerpos(await tomar(otra, 1)) == ["3"]
    assert await nada(otra, 0.1)


async def test_cada_reintento_suma_un_intento(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    suscripcion = await broker.suscribir(banco.suscripcion(), [topico])
    await broker.publicar(mensajes(topico, 1, "k"))

    for fallidos in range(4):
        [entrega] = await tomar(suscripcion, 1)
        assert entrega.intentos == fallidos
        await suscripcion.reintentar(entrega, 0)


async def test_una_letra_muerta_guarda_los_bytes_las_cabeceras_el_motivo_y_los_intentos(banco: Banco) -> None:
    broker, topico, nombre = banco.broker(), banco.topico(), banco.suscripcion()
    suscripcion = await broker.suscribir(nombre, [topico])
    enviado = Mensaje(topico=topico, cuerpo=bytes(range(256)), clave="ñ", cabeceras={"id": "7", "x": "día"})
    await broker.publicar([enviado])
    [entrega] = await tomar(suscripcion, 1)
    await suscripcion.reintentar(entrega, 0)
    [entrega] = await tomar(suscripcion, 1)
    await suscripcion.desechar(entrega, "No se entiende: «ñ»")

    [letra] = await letras(banco.broker(), nombre, 1)
    assert letra.mensaje == enviado
    assert (letra.motivo, letra.intentos, letra.suscripcion) == ("No se entiende: «ñ»", 1, nombre)
    assert abs(letra.fecha_ms / 1000 - time.time()) < 60
    assert await broker.letras_muertas.ver(letra.id) == letra
    assert await nada(suscripcion, 0.1)


async def test_una_letra_muerta_se_reenvia_a_su_suscripcion_y_a_ninguna_otra_o_se_descarta(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    una, otra = [await broker.suscribir(banco.suscripcion(n), [topico]) for n in ("una", "otra")]
    await broker.publicar(mensajes(topico, 2))
    for entrega in await tomar(una, 2):
        await una.desechar(entrega, "no")
    await otra.confirmar(await tomar(otra, 2))
    lector = await broker.leer([topico])
    primera, segunda = await letras(broker, banco.suscripcion("una"), 2)

    assert await broker.letras_muertas.reenviar(primera.id)
    assert await broker.letras_muertas.descartar(segunda.id)

    [reenviada] = await tomar(una, 1)
    assert (reenviada.mensaje, reenviada.intentos) == (primera.mensaje, 0)
    await una.confirmar([reenviada])
    await broker.publicar(mensajes(topico, 1, desde=9))
    assert cuerpos(await tomar(otra, 1)) == ["9"]
    assert cuerpos(await tomar(una, 1)) == ["9"]
    assert cuerpos(await lector.recibir(10)) == ["9"]
    await letras(broker, banco.suscripcion("una"), 0)


@pytest.mark.parametrize("id", ["0", "999999", "no-es-un-id", "9" * 40, ""])
async def test_una_letra_que_no_existe_ni_se_ve_ni_se_reenvia_ni_se_descarta(banco: Banco, id: str) -> None:
    muertas = banco.broker().letras_muertas

    assert await muertas.ver(id) is None
    assert not await muertas.reenviar(id)
    assert not await muertas.descartar(id)


async def test_devolver_no_cuenta_un_intento_y_conserva_el_orden(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    uno, otro = [await broker.suscribir(banco.suscripcion(), [topico]) for _ in range(2)]
    await broker.publicar(mensajes(topico, 3, "k"))
    quien, el_otro, primera = await _el_primero_que_reciba(uno, otro)
    await quien.devolver([*primera, *await tomar(quien, 2)])
    await quien.cerrar()

    entregas = await tomar(el_otro, 3)
    assert cuerpos(entregas) == ["0", "1", "2"]
    assert [(e.intentos, e.sospechosa) for e in entregas] == [(0, False)] * 3


async def test_iniciar_cuenta_de_forma_durable(banco: Banco) -> None:
    broker, topico, nombre = banco.broker(), banco.topico(), banco.suscripcion()
    suscripcion = await broker.suscribir(nombre, [topico])
    await broker.publicar(mensajes(topico, 1, "k"))
    [entrega] = await tomar(suscripcion, 1)
    assert [await suscripcion.iniciar(entrega), await suscripcion.iniciar(entrega)] == [1, 2]
    await suscripcion.cerrar()

    [vuelta] = await tomar(await broker.suscribir(nombre, [topico]), 1)
    assert vuelta.intentos == 2


async def test_devolver_lo_iniciado_deja_los_intentos_que_dice_la_entrega(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    suscripcion = await broker.suscribir(banco.suscripcion(), [topico])
    await broker.publicar(mensajes(topico, 1, "k"))
    [entrega] = await tomar(suscripcion, 1)
    await suscripcion.iniciar(entrega)
    await suscripcion.devolver([entrega])

    assert (await tomar(suscripcion, 1))[0].intentos == 0


async def test_lo_de_un_proceso_muerto_pasa_a_otro_como_sospechoso_y_en_orden(
    compartido: Banco, tmp_path: Path
) -> None:
    topico, nombre = compartido.topico(), compartido.suscripcion()
    await compartido.broker().publicar([*mensajes(topico, 3, "k"), *mensajes(topico, 1)])
    guion = [sys.executable, "-m", "tests.contratos.consumidor_que_no_responde", compartido.url, nombre, topico]
    victima = Proceso([*guion, "4", "1"], {"PYTHONPATH": f"{RAIZ}/src"}, tmp_path / "salida", RAIZ)
    try:
        await asyncio.to_thread(victima.espera_texto, "tomados")
        heredero = await compartido.broker().suscribir(nombre, [topico])
        assert await nada(heredero)
    finally:
        victima.matar()
    murio = time.monotonic()

    entregas = await tomar(heredero, 4, compartido.vida_s)
    assert time.monotonic() - murio <= compartido.vida_s
    assert cuerpos([e for e in entregas if e.mensaje.clave]) == ["0", "1", "2"]
    assert all(e.sospechosa for e in entregas)
    assert sorted(e.intentos for e in entregas) == [0, 0, 0, 1]


# --- leer -----------------------------------------------------------------------------------------------------------


async def test_una_lectura_efimera_ve_lo_reciente_y_lo_que_sigue(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    await broker.publicar(mensajes(topico, 2))
    await asyncio.sleep(1.1)
    await broker.publicar(mensajes(topico, 2, desde=2))

    reciente = await broker.leer([banco.topico("*")], desde_hace_s=0.9)
    ahora = await broker.leer([banco.topico("*")])
    await broker.publicar(mensajes(topico, 1, desde=4))

    assert cuerpos(await _leidos(reciente, 3)) == ["2", "3", "4"]
    assert cuerpos(await _leidos(ahora, 1)) == ["4"]


async def _leidos(lector: object, cuantos: int) -> list[Mensaje]:
    leidos: list[Mensaje] = []
    async with asyncio.timeout(PLAZO_S):
        while len(leidos) < cuantos:
            leidos += await lector.recibir(cuantos - len(leidos))  # type: ignore[attr-defined]
    return leidos


async def test_dos_lecturas_efimeras_ven_cada_una_todo(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    lectores = [await banco.broker().leer([topico]) for _ in range(2)]
    await broker.publicar(mensajes(topico, 20))

    for lector in lectores:
        assert cuerpos(await _leidos(lector, 20)) == [str(i) for i in range(20)]
        await lector.cerrar()
        assert await lector.recibir(1) == []


async def test_cerrar_un_lector_despierta_a_quien_espera_en_el(banco: Banco) -> None:
    lector = await banco.broker().leer([banco.topico()])
    espera = asyncio.create_task(lector.recibir(1))
    await asyncio.sleep(0.05)
    await lector.cerrar()

    async with asyncio.timeout(PLAZO_S):
        assert await espera == []


# --- tamaños y contenidos -------------------------------------------------------------------------------------------


async def test_un_cuerpo_vacio_y_uno_de_un_megabyte_llegan_enteros(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    grande = random.Random(1).randbytes(1024 * 1024)  # noqa: S311 - repetible
    await broker.publicar([Mensaje(topico=topico, cuerpo=cuerpo) for cuerpo in (b"", grande)])

    suscripcion = await broker.suscribir(banco.suscripcion(), [topico])
    assert [e.mensaje.cuerpo for e in await tomar(suscripcion, 2)] == [b"", grande]


async def test_un_lote_con_un_mensaje_demasiado_grande_no_publica_nada_y_lo_senala(banco: Banco) -> None:
    broker, topico = banco.broker(), banco.topico()
    suscripcion = await broker.suscribir(banco.suscripcion(), [topico])
    enorme = Mensaje(topico=topico, cuerpo=bytes(banco.tamano_maximo + 1))

    with pytest.raises(MensajeNoPublicable, match=str(banco.tamano_maximo)) as error:
        await broker.publicar([*mensajes(topico, 2), enorme])

    assert error.value.mensaje is enorme
    assert await nada(suscripcion, 0.2)


@pytest.mark.parametrize("topico", ["", ".", "a.", ".a", "a..b", "a b", "a/b", "a.*", "año", "a\n", "x" * 201])
async def test_un_topico_que_no_son_palabras_no_se_publica(banco: Banco, topico: str) -> None:
    culpable = Mensaje(topico=topico, cuerpo=b"")

    with pytest.raises(MensajeNoPublicable, match="tópico") as error:
        await banco.broker().publicar([Mensaje(topico=banco.topico(), cuerpo=b""), culpable])

    assert error.value.mensaje is culpable


@pytest.mark.parametrize(
    "mensaje", [{"clave": "\ud800"}, {"cabeceras": {"x": "\udfff"}}, {"cabeceras": {"\ud800": ""}}]
)
async def test_una_clave_o_cabecera_que_no_es_utf8_no_se_publica(banco: Banco, mensaje: dict[str, str]) -> None:
    with pytest.raises(MensajeNoPublicable, match="UTF-8"):
        await banco.broker().publicar([Mensaje(topico=banco.topico(), cuerpo=b"", **mensaje)])  # type: ignore[arg-type]


_TEXTO = st.text(max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lote=st.lists(st.tuples(st.binary(max_size=200), st.none() | _TEXTO, st.dictionaries(_TEXTO, _TEXTO)), min_size=1)
)
def test_cualquier_clave_y_cabecera_utf8_llega_tal_cual(
    banco: Banco, lote: list[tuple[bytes, str | None, dict[str, str]]]
) -> None:
    propio = Banco(banco.url, banco.vida_s, banco.tamano_maximo)
    enviados = [Mensaje(topico=propio.topico(), cuerpo=b, clave=k, cabeceras=c) for b, k, c in lote]

    async def ida_y_vuelta(broker: Broker) -> list[Mensaje]:
        await broker.publicar(enviados)
        suscripcion = await broker.suscribir(propio.suscripcion(), [propio.topico()])
        recibidos = [entrega.mensaje for entrega in await tomar(suscripcion, len(enviados))]
        await broker.cerrar()
        return recibidos

    recibidos = asyncio.run(ida_y_vuelta(conectar(propio.url)))
    assert len(recibidos) == len(enviados)
    for clave in {mensaje.clave for mensaje in enviados}:
        suyos = [mensaje for mensaje in recibidos if mensaje.clave == clave]
        de_antes = [mensaje for mensaje in enviados if mensaje.clave == clave]
        assert all(mensaje in de_antes for mensaje in suyos) if clave is None else suyos == de_antes


# --- cerrar y cancelar ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("que", ["suscripcion", "broker"])
async def test_cerrar_despierta_a_quien_espera(banco: Banco, que: str) -> None:
    broker = conectar(banco.url)
    suscripcion = await broker.suscribir(banco.suscripcion(), [banco.topico()])
    espera = asyncio.create_task(suscripcion.recibir(1))
    await asyncio.sleep(0.05)
    await (broker if que == "broker" else suscripcion).cerrar()

    async with asyncio.timeout(PLAZO_S):
        assert await espera == []
    await broker.cerrar()


async def test_un_broker_cerrado_lo_dice_y_cerrarlo_otra_vez_no_hace_nada(banco: Banco) -> None:
    broker, topico = conectar(banco.url), banco.topico()
    suscripcion = await broker.suscribir(banco.suscripcion(), [topico])
    await broker.publicar(mensajes(topico, 1))
    entregas = await tomar(suscripcion, 1)
    await broker.cerrar()
    await broker.cerrar()
    await suscripcion.cerrar()

    for accion in (
        broker.publicar(mensajes(topico, 1)),
        broker.suscribir("s", [topico]),
        broker.comprobar(),
        suscripcion.confirmar(entregas),
    ):
        with pytest.raises(BrokerCerrado):
            await accion


async def test_cerrar_un_broker_sin_usar_no_abre_nada(banco: Banco, tmp_path: Path) -> None:
    await conectar(banco.url).cerrar()


async def test_cancelar_recibir_no_pierde_nada(banco: Banco) -> None:
    azar, topico, cuantos = random.Random(3), banco.topico(), 200  # noqa: S311 - repetible
    suscripcion = await banco.broker().suscribir(banco.suscripcion(), [topico])
    productor = banco.broker()

    async def publicar() -> None:
        for i in range(cuantos):
            await productor.publicar(mensajes(topico, 1, f"k{i % 3}", desde=i))

    publicando = asyncio.create_task(publicar())
    recibidos: list[Entrega] = []
    async with asyncio.timeout(PLAZO_S):
        while len(recibidos) < cuantos:
            tarea = asyncio.create_task(suscripcion.recibir(5))
            await asyncio.sleep(azar.uniform(0, 0.004))
            tarea.cancel()
            if azar.random() < 0.5:
                await asyncio.sleep(0)
                tarea.cancel()  # también dos veces
            try:
                recibidos += await tarea
            except asyncio.CancelledError:
                continue
            await suscripcion.confirmar(recibidos[-5:])
    await publicando

    por_clave = defaultdict(list)
    for entrega in recibidos:
        por_clave[entrega.mensaje.clave].append(int(entrega.mensaje.cuerpo))
    assert {clave: sorted(set(orden)) for clave, orden in por_clave.items()} == por_clave
    assert len(recibidos) == cuantos


async def test_comprobar_vuelve_si_el_broker_responde(banco: Banco) -> None:
    await banco.broker().comprobar()

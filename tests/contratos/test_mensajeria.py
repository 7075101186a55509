"""La forma declarativa sobre cada broker: las mismas pruebas, y la misma aplicación, cambiando sólo la URL."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.orm import Session
from tests.contratos.banco import Banco
from tests.procesos import RAIZ, Proceso
from tests.procesos import hasta as hasta_de_proceso

from seedwork import Evento, Mensaje, Mensajeria, Reintentos
from seedwork.infraestructura.brokers import LetraMuerta
from seedwork.infraestructura.codificacion import codificar_evento

PLAZO_S = 40.0


class Pedido(BaseModel):
    id: int


class Linea(BaseModel):
    pedido: int
    n: int


class Servicio:
    """Hace mensajerías sobre un mismo broker; al salir no queda ninguna en marcha."""

    def __init__(self, banco: Banco, carpeta: Path) -> None:
        self.banco = banco
        self.nombre = banco.suscripcion("servicio")
        self._carpeta = carpeta
        self._abiertas: list[Mensajeria] = []

    def nueva(self, *, con_base: bool = False) -> Mensajeria:
        base = f"sqlite:///{self._carpeta}/base.db" if con_base else None
        self._abiertas.append(Mensajeria(self.banco.url, servicio=self.nombre, base_datos=base))
        return self._abiertas[-1]

    async def en_marcha(self) -> None:
        for mensajeria in self._abiertas:
            await mensajeria.start()
        for mensajeria in self._abiertas:
            async with asyncio.timeout(PLAZO_S):
                await mensajeria.esperar_conectada()

    async def cerrar(self) -> None:
        for mensajeria in self._abiertas:
            await mensajeria.stop()


@pytest.fixture
async def servicio(compartido: Banco, tmp_path: Path) -> AsyncIterator[Servicio]:
    servicio = Servicio(compartido, tmp_path)
    yield servicio
    await servicio.cerrar()


async def hasta(condicion: Callable[[], Any], que: str) -> Any:
    limite = time.monotonic() + PLAZO_S
    while not (valor := condicion()):
        assert time.monotonic() < limite, f"pasaron {PLAZO_S} s sin que {que}"
        await asyncio.sleep(0.02)
    return valor


async def letras(mensajeria: Mensajeria, suscripcion: str, cuantas: int) -> Sequence[LetraMuerta]:
    async with asyncio.timeout(PLAZO_S):
        while len(todas := await mensajeria.broker.letras_muertas.listar(suscripcion)) < cuantas:
            await asyncio.sleep(0.1)
    return todas


# --- publicar y recibir ---------------------------------------------------------------------------------------------


@pytest.mark.capacidad("M03", "M05", "P04")
async def test_un_evento_suelto_llega_con_su_nombre_sus_datos_su_hora_y_quien_lo_publico(servicio: Servicio) -> None:
    uno, otro = servicio.nueva(), servicio.nueva()
    nombre, topico = servicio.banco.topico("creado"), servicio.banco.topico("todos")
    recibidos: list[Evento] = []

    @uno.message_handler([nombre, topico])
    async def recibir(evento: Evento) -> None:
        recibidos.append(evento)

    await servicio.en_marcha()
    await otro.publish_event(nombre, {"id": 1, "ñ": "sí"})
    await otro.publish_event(event_name=nombre, data=Pedido(id=2), topic=topico)
    otro.new_event(nombre, Pedido(id=3))
    await otro.get_producer().send(topic=topico, message={"id": 4})
    await hasta(lambda: len(recibidos) == 4, "llegaran los cuatro")

    por_id = {evento.data["id"]: evento for evento in recibidos}
    assert por_id[1].data == {"id": 1, "ñ": "sí"}
    assert [por_id[id].name for id in (1, 2, 3, 4)] == [nombre, nombre, nombre, topico]
    assert {evento.source for evento in recibidos} == {servicio.nombre}
    assert all(abs(evento.timestamp.timestamp() - time.time()) < 120 for evento in recibidos)


@pytest.mark.capacidad("M06")
async def test_las_instancias_de_un_grupo_se_reparten_y_cada_grupo_recibe_su_copia(servicio: Servicio) -> None:
    topico, vistos = servicio.banco.topico(), defaultdict[str, list[int]](list)

    def declarar(instancia: str, grupo: str) -> None:
        mensajeria = servicio.nueva()

        @mensajeria.consumer(servicio.banco.suscripcion(grupo), topics=[topico], concurrencia=1, prefetch=1)
        class Consumidor:
            @mensajeria.on_event("pedido.creado")
            async def al_crearse(self, evento: Evento) -> None:
                await asyncio.sleep(0.02)
                vistos[instancia].append(evento.data["id"])

    for instancia, grupo in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        declarar(instancia, grupo)
    publica = servicio.nueva()
    await servicio.en_marcha()
    publica.new_event("pedido.olvidado", {"id": -1}, topic=topico)
    ids = itertools.count()
    async with asyncio.timeout(PLAZO_S):  # un broker puede tardar en dar su parte a la segunda instancia
        while not (vistos["a1"] and vistos["a2"]):
            for _ in range(20):
                await publica.publish_event("pedido.creado", {"id": next(ids)}, topic=topico, key_field="id")
            await asyncio.sleep(0.1)
    todos = list(range(next(ids)))
    await hasta(lambda: len(vistos["a1"]) + len(vistos["a2"]) >= len(todos) <= len(vistos["b1"]), "llegaran todos")

    assert sorted(vistos["a1"] + vistos["a2"]) == sorted(vistos["b1"]) == todos


@pytest.mark.capacidad("M07", "P02")
async def test_una_funcion_atiende_un_topico_varios_o_los_de_un_comodin_con_su_caso_de_uso(servicio: Servicio) -> None:
    mensajeria, banco = servicio.nueva(), servicio.banco
    vistos = Counter[tuple[str, int]]()

    @mensajeria.message_handler(banco.topico("usuario.creado"))
    async def uno(pedido: Pedido) -> None:
        vistos["uno", pedido.id] += 1

    @mensajeria.message_handler(topic=[banco.topico("usuario.creado"), banco.topico("pago.hecho")])
    def varios(mensaje: dict[str, Any]) -> None:
        vistos["varios", mensaje["id"]] += 1

    @mensajeria.on_event([banco.topico("usuario.*")], use_case_name="registrar_usuarios")
    async def comodin(evento: Pedido) -> None:
        vistos["comodin", evento.id] += 1

    assert [c.suscripcion for c in mensajeria.consumidores][-1] == f"{servicio.nombre}.registrar_usuarios"
    await servicio.en_marcha()
    for id, nombre in enumerate(["usuario.creado", "pago.hecho", "usuario.borrado", "usuario.alta.web"]):
        await mensajeria.publish_event(banco.topico(nombre), {"id": id})
    esperados = Counter([("uno", 0), ("varios", 0), ("varios", 1), ("comodin", 0), ("comodin", 2)])
    await hasta(lambda: vistos >= esperados, f"llegara cada uno a quien lo espera; llegaron {vistos}")
    await asyncio.sleep(0.3)
    assert vistos == esperados


# --- orden, fallos y letras muertas ---------------------------------------------------------------------------------


@pytest.mark.capacidad("M09")
async def test_lo_de_una_clave_se_atiende_en_orden_con_varios_consumidores(servicio: Servicio) -> None:
    topico, vistos = servicio.banco.topico(), defaultdict[int, list[int]](list)
    en_curso, simultaneas = Counter[int](), []

    for _ in range(2):
        mensajeria = servicio.nueva()

        @mensajeria.on_event(topico, use_case_name="ordenar")
        async def ordenar(linea: Linea) -> None:
            en_curso[linea.pedido] += 1
            simultaneas.append(en_curso[linea.pedido])
            await asyncio.sleep(0.001)
            vistos[linea.pedido].append(linea.n)
            en_curso[linea.pedido] -= 1

    publica = servicio.nueva()
    await servicio.en_marcha()
    for n in range(20):
        for pedido in range(8):
            publica.new_event(topico, Linea(pedido=pedido, n=n), key_field="pedido")
    await hasta(lambda: sum(map(len, vistos.values())) >= 160, "llegaran todos")

    assert dict(vistos) == {pedido: list(range(20)) for pedido in range(8)}
    assert max(simultaneas) == 1


@pytest.mark.capacidad("M08")
@pytest.mark.parametrize("orden", ["estricto", "relajado"])
async def test_lo_que_falla_se_reintenta_con_su_espera_y_acaba_en_letras_muertas_con_motivo_e_intentos(
    servicio: Servicio, orden: Any
) -> None:
    mensajeria, topico = servicio.nueva(), servicio.banco.topico()
    intentos = defaultdict[int, list[float]](list)

    @mensajeria.message_handler(topico, max_retries=2, retry_delay=0.5, use_case_name="cobrar", orden=orden)
    async def cobrar(pedido: Pedido) -> None:
        intentos[pedido.id].append(time.monotonic())
        if pedido.id == 1 or len(intentos[pedido.id]) == 1:
            raise RuntimeError(f"no se pudo {pedido.id}")

    await servicio.en_marcha()
    await mensajeria.publish_event(topico, {"id": 1}, key_field="id")
    await mensajeria.publish_event(topico, {"id": 2}, key_field="id")
    [letra] = await letras(mensajeria, f"{servicio.nombre}.cobrar", 1)
    await hasta(lambda: len(intentos[2]) == 2, "el segundo saliera bien a la segunda")

    assert (letra.motivo, letra.intentos, letra.mensaje.clave) == ("RuntimeError: no se pudo 1", 3, "1")
    assert len(intentos[1]) == 3
    esperas = [despues - antes for antes, despues in zip(intentos[1], intentos[1][1:], strict=False)]
    assert min(esperas) >= 0.4, "nunca antes de su espera"


@pytest.mark.capacidad("M11")
async def test_lo_que_no_es_del_tipo_va_a_letras_muertas_sin_reintento_con_sus_bytes_intactos(
    servicio: Servicio,
) -> None:
    mensajeria, topico, vistos = servicio.nueva(), servicio.banco.topico(), []

    @mensajeria.message_handler(topico, schema=Pedido, max_retries=5, retry_delay=60, use_case_name="tipado")
    async def tipado(mensaje) -> None:  # type: ignore[no-untyped-def]
        vistos.append(mensaje)

    await servicio.en_marcha()
    malos = [b"\xff\x00", b"", b'{"id": "no es un entero"}', b"[1]"]
    await mensajeria.broker.publicar([Mensaje(topico=topico, cuerpo=cuerpo) for cuerpo in malos])
    await mensajeria.publish_event(topico, {"id": 7})
    muertas = await letras(mensajeria, f"{servicio.nombre}.tipado", len(malos))
    await hasta(lambda: vistos == [Pedido(id=7)], "el bueno se atendiera")

    assert sorted(letra.mensaje.cuerpo for letra in muertas) == sorted(malos)
    assert {letra.intentos for letra in muertas} == {1}
    assert all(letra.motivo.startswith("MensajeInvalido: No es un Pedido válido") for letra in muertas)


@pytest.mark.capacidad("X05")
async def test_una_letra_muerta_reenviada_vuelve_a_su_suscripcion_y_descartada_no_vuelve(servicio: Servicio) -> None:
    mensajeria, topico, arreglado = servicio.nueva(), servicio.banco.topico(), []
    vistos = Counter[tuple[str, int]]()

    @mensajeria.on_event(topico, use_case_name="fragil", reintentos=Reintentos(maximo=0))
    async def fragil(pedido: Pedido) -> None:
        if not arreglado:
            raise RuntimeError("todavía no")
        vistos["fragil", pedido.id] += 1

    @mensajeria.on_event(topico, use_case_name="sano")
    async def sano(pedido: Pedido) -> None:
        vistos["sano", pedido.id] += 1

    await servicio.en_marcha()
    for id in (1, 2):
        await mensajeria.publish_event(topico, {"id": id})
    muertas = {b'"id":1' in m.mensaje.cuerpo: m for m in await letras(mensajeria, f"{servicio.nombre}.fragil", 2)}
    arreglado.append(True)
    cajon = mensajeria.broker.letras_muertas
    assert await cajon.ver(muertas[True].id) == muertas[True]
    assert await cajon.reenviar(muertas[True].id)
    assert await cajon.descartar(muertas[False].id)

    await hasta(lambda: vistos["fragil", 1] == 1, "la reenviada se atendiera")
    await asyncio.sleep(0.3)
    assert vistos == Counter([("fragil", 1), ("sano", 1), ("sano", 2)])
    assert list(await cajon.listar(f"{servicio.nombre}.fragil")) == []


# --- con base de datos ----------------------------------------------------------------------------------------------


@pytest.mark.capacidad("X01", "P05")
@pytest.mark.parametrize("asincrono", [False, True])
async def test_lo_entregado_dos_veces_tiene_un_efecto_y_lo_devuelto_sale_una_vez_por_el_outbox(
    servicio: Servicio, asincrono: bool
) -> None:
    mensajeria, banco = servicio.nueva(con_base=True), servicio.banco
    llamadas: list[int] = []
    hechos: list[tuple[int, str]] = []

    def cobrar(pedido: Pedido, db: Session) -> list[dict[str, Any]]:
        llamadas.append(pedido.id)
        db.execute(text("INSERT INTO cobros VALUES (:id)"), {"id": pedido.id})
        if pedido.id == 3 and llamadas.count(3) == 1:
            raise RuntimeError("a medias")
        return [{"name": banco.topico("hecho"), "payload": {"id": pedido.id}, "key": str(pedido.id)}]

    async def cobrar_async(pedido: Pedido, db: Session) -> list[dict[str, Any]]:
        return cobrar(pedido, db)

    declarar = mensajeria.on_event(
        banco.topico("pedido"), use_case_name="cobrar", reintentos=Reintentos(maximo=2, espera_s=0.1)
    )
    declarar(cobrar_async if asincrono else cobrar)

    @mensajeria.message_handler(banco.topico("hecho"))
    async def anotar(mensaje: Mensaje) -> None:
        hechos.append((int(mensaje.clave or 0), mensaje.cabeceras["id"]))

    def crear() -> None:
        mensajeria.sistema.en_transaccion(
            lambda t: t.ambito.get(Session).execute(text("CREATE TABLE cobros (id INTEGER)"))
        )

    def cobros() -> list[int]:
        return mensajeria.sistema.leer(
            lambda ambito: list(ambito.get(Session).execute(text("SELECT id FROM cobros ORDER BY id")).scalars())
        )

    await mensajeria.start()
    await asyncio.to_thread(crear)
    await mensajeria.esperar_conectada()
    repetido = codificar_evento(banco.topico("pedido"), {"id": 1}, servicio="p", id=f"{banco.prefijo}-fijo", clave="1")
    otros = [codificar_evento(banco.topico("pedido"), {"id": id}, servicio="p", clave=str(id)) for id in (2, 3)]
    await mensajeria.broker.publicar([repetido, repetido, *otros, repetido])
    await hasta(lambda: len(hechos) >= 3, "llegaran los tres hechos")
    await asyncio.sleep(0.3)

    assert await asyncio.to_thread(cobros) == [1, 2, 3]
    assert sorted(clave for clave, _ in hechos) == [1, 2, 3]
    assert len({id for _, id in hechos}) == 3
    assert Counter(llamadas) == {1: 1, 2: 1, 3: 2}


async def test_sin_base_lo_devuelto_sale_antes_del_acuse(servicio: Servicio) -> None:
    mensajeria, banco, hechos = servicio.nueva(), servicio.banco, []

    @mensajeria.on_event(banco.topico("pedido"))
    def cobrar(pedido: Pedido) -> list[dict[str, Any]]:
        return [{"name": banco.topico("hecho"), "payload": {"id": pedido.id}}]

    @mensajeria.on_event(banco.topico("hecho"), use_case_name="anotar")
    async def anotar(evento: Evento) -> None:
        hechos.append((evento.data["id"], evento.source))

    await servicio.en_marcha()
    await mensajeria.publish_event(banco.topico("pedido"), Pedido(id=1))
    await hasta(lambda: hechos == [(1, servicio.nombre)], "llegara lo devuelto")


# --- como proceso ---------------------------------------------------------------------------------------------------


@pytest.mark.capacidad("X12")
async def test_parado_con_sigterm_a_medias_no_pierde_ni_repite_nada(compartido: Banco, tmp_path: Path) -> None:
    diario, topico = tmp_path / "diario", compartido.topico("trabajo")
    broker = compartido.broker()
    procesos: list[Proceso] = []

    def lanzar() -> Proceso:
        orden = [sys.executable, "-m", "tests.contratos.trabajador", compartido.url, compartido.suscripcion(), topico]
        entorno = {"PYTHONPATH": f"{RAIZ}/src"}
        procesos.append(Proceso([*orden, str(diario)], entorno, tmp_path / f"salida-{len(procesos)}", RAIZ))
        return procesos[-1]

    def notas(que: str) -> list[int]:
        lineas = diario.read_text().splitlines() if diario.exists() else []
        return [int(linea.split()[1]) for linea in lineas if linea.startswith(que)]

    try:
        primero = lanzar()
        await asyncio.to_thread(primero.espera_texto, "listo")
        await broker.publicar(
            [codificar_evento(topico, {"id": id}, servicio="p", clave=f"k{id % 7}") for id in range(80)]
        )
        await asyncio.to_thread(hasta_de_proceso, lambda: len(notas("termina")) >= 10, "avanzara")
        assert await asyncio.to_thread(primero.parar, signal.SIGTERM, 30) == 0, primero.salida
        assert sorted(notas("empieza")) == sorted(notas("termina"))
        assert len(notas("empieza")) < 80, "se paró antes de acabar"

        ultimo = lanzar()
        await asyncio.to_thread(hasta_de_proceso, lambda: len(notas("termina")) >= 80, "se atendieran todos")
        assert await asyncio.to_thread(ultimo.parar, signal.SIGTERM, 30) == 0, ultimo.salida
    finally:
        for proceso in procesos:
            proceso.matar()
    assert Counter(notas("empieza")) == Counter(range(80))
    por_clave = defaultdict[int, list[int]](list)
    for id in notas("termina"):
        por_clave[id % 7].append(id)
    assert all(ids == sorted(ids) for ids in por_clave.values()), "el orden de cada clave sigue tras el relevo"

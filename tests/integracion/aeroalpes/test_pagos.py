"""Pagos de verdad: su almacén de eventos en dos bases, sus mensajes por el broker y su dirección HTTP."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.integracion.aeroalpes.contexto import Contexto, en_marcha, mensaje, otra_vez
from tests.integracion.aeroalpes.corredor import publicar
from tests.integracion.aeroalpes.reservas import es_problema
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva
from tests.procesos import Aeroalpes, hasta

from aeroalpes.modulos.pagos.aplicacion.comandos.pagar_reserva import PagarReserva
from aeroalpes.modulos.pagos.aplicacion.comandos.revertir_pago import RevertirPago
from aeroalpes.modulos.pagos.aplicacion.puertos import Aceptado, Cargo, PasarelaPagos, Rechazado
from aeroalpes.modulos.pagos.aplicacion.queries.obtener_pago import ObtenerPago
from aeroalpes.modulos.pagos.dominio.repositorios import RepositorioPagos
from aeroalpes.modulos.pagos.infraestructura.pasarela import PasarelaSimulada
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import comandos, eventos
from aeroalpes.modulos.pagos.infraestructura.tablas import eventos as tabla_eventos
from aeroalpes.modulos.pagos.infraestructura.tablas import instantaneas
from aeroalpes.modulos.pagos.modulo import PAGOS
from seedwork.aplicacion.transaccion import Transaccion
from seedwork.dominio.eventos import ahora
from seedwork.dominio.excepciones import ConflictoConcurrencia
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.sistema import Sistema, bootstrap

MONTO = 12_000


def pagar(id: uuid.UUID, medio: str | None = None) -> Mensaje:
    variante = comandos.PagarReserva(id_reserva=str(id), monto=MONTO, medio=medio)
    return mensaje(comandos.ComandosPago, comandos.TOPICO, "PagarReserva", id, pagar_reserva=variante)


def revertir(id: uuid.UUID) -> Mensaje:
    variante = comandos.RevertirPago(id_reserva=str(id), motivo="sin plazas")
    return mensaje(comandos.ComandosPago, comandos.TOPICO, "RevertirPago", id, revertir_pago=variante)


# --- el almacén de eventos ------------------------------------------------------------------------------------------


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def sistema(base: str) -> Iterator[Sistema]:
    sistema = bootstrap([PAGOS], base_datos=base)
    yield sistema
    sistema.cerrar()


def versiones(sistema: Sistema, id: uuid.UUID) -> list[int]:
    assert sistema.motor is not None
    with sistema.motor.connect() as conexion:
        suyas = select(tabla_eventos.c.version).where(tabla_eventos.c.id_pago == id)
        return list(conexion.execute(suyas.order_by(tabla_eventos.c.version)).scalars())


@pytest.mark.parametrize("base", ["postgres"], indirect=True)
def test_de_dos_que_anaden_sobre_la_misma_version_gana_el_primero_que_confirma(sistema: Sistema) -> None:
    id, errores = uuid.uuid4(), []
    primera, segunda = sistema.transaccion(), sistema.transaccion()
    with primera, segunda:
        for transaccion in (primera, segunda):
            _pago(transaccion, id).solicitar_cobro(MONTO, None, None, ahora())
        primera.ambito.get(RepositorioPagos).guardar(_pago(primera, id))

        def anadir() -> None:
            try:
                segunda.ambito.get(RepositorioPagos).guardar(_pago(segunda, id))
            except ConflictoConcurrencia as error:
                errores.append(error)

        hilo = threading.Thread(target=anadir)
        hilo.start()
        hilo.join(0.2)
        assert hilo.is_alive(), "el segundo no esperó a saber si el primero confirma"
        primera.confirmar()
        hilo.join(30)
    assert len(errores) == 1
    assert versiones(sistema, id) == [1]


def _pago(transaccion: Transaccion, id: uuid.UUID) -> Any:
    return transaccion.ambito.get(RepositorioPagos).obtener(id)


@EN_AMBAS
def test_muchos_que_piden_lo_mismo_a_la_vez_dejan_un_solo_cobro_y_versiones_sin_huecos(sistema: Sistema) -> None:
    id = uuid.uuid4()

    def insistir(comando: PagarReserva | RevertirPago) -> None:
        """El bus también se rinde: quien lo usa desde el broker o por HTTP vuelve a pedirlo."""
        while True:
            try:
                return sistema.ejecutar(comando)
            except ConflictoConcurrencia:
                continue

    pedidos = [PagarReserva(id_reserva=id, monto=MONTO)] * 4 + [RevertirPago(id_reserva=id)] * 4
    hilos = [threading.Thread(target=insistir, args=[pedido]) for pedido in pedidos]
    for hilo in hilos:
        hilo.start()
    for hilo in hilos:
        hilo.join(30)
    pago = sistema.ejecutar(ObtenerPago(id_reserva=id))
    tipos = [movimiento.tipo for movimiento in pago.movimientos]
    assert tipos.count("CobroSolicitado") + tipos.count("PagoRevertido") == 1
    assert tipos.count("ReversionSolicitada") <= 1
    assert versiones(sistema, id) == list(range(1, len(tipos) + 1))


@EN_AMBAS
def test_desde_una_instantanea_se_llega_a_lo_mismo_y_una_de_otra_forma_se_ignora(sistema: Sistema) -> None:
    id = uuid.uuid4()
    sistema.ejecutar(RevertirPago(id_reserva=id, motivo="ya no"))
    for _ in range(3):
        sistema.ejecutar(PagarReserva(id_reserva=id, monto=MONTO))
    antes = sistema.ejecutar(ObtenerPago(id_reserva=id))
    assert sistema.motor is not None
    with sistema.motor.begin() as conexion:
        assert conexion.execute(select(instantaneas.c.version)).scalars().all() == [3]
        conexion.execute(instantaneas.update().values(forma=0, datos={"de": "otra forma"}))
    sistema.ejecutar(PagarReserva(id_reserva=id, monto=MONTO))
    despues = sistema.ejecutar(ObtenerPago(id_reserva=id))
    assert despues.movimientos[:-1] == antes.movimientos
    assert (despues.estado, despues.saldo, despues.motivo) == (antes.estado, 0, "ya no")
    assert versiones(sistema, id) == [1, 2, 3, 4, 5]


# --- por el broker --------------------------------------------------------------------------------------------------


def servicio(carpeta: Path, pasarela: PasarelaPagos) -> AbstractAsyncContextManager[Contexto]:
    registros: dict[str, type] = {eventos.TOPICO: eventos.EventosPago}
    return en_marcha([PAGOS], carpeta, registros, puertos={PasarelaPagos: pasarela})


async def test_cada_medio_acaba_como_debe_y_el_que_no_responde_no_detiene_a_los_demas(tmp_path: Path) -> None:
    bueno, rechazado, lento, ninguno = (uuid.uuid4() for _ in range(4))
    async with servicio(tmp_path, PasarelaSimulada(plazo_s=3600)) as pagos:
        pedidos = [pagar(lento, "tok_lento") for lento in [lento, *(uuid.uuid4() for _ in range(20))]]
        await pagos.mandar(*pedidos, pagar(bueno, "tok"), pagar(rechazado, "tok_rechazado"), pagar(ninguno))
        await pagos.hasta(lambda: len(pagos.publicados) == 3, "se respondiera a los que responden")
        assert pagos.tipos(bueno) == pagos.tipos(ninguno) == ["ReservaPagada"]
        assert pagos.tipos(rechazado) == ["PagoRechazado"]
        assert pagos.tipos(lento) == []
        # Nadie tiene una transacción abierta mientras la pasarela calla: cualquiera escribe.
        await pagos.sistema.ejecutar_async(RevertirPago(id_reserva=uuid.uuid4()))


async def test_tras_una_pasarela_que_no_responde_revertir_acaba_y_nada_queda_cobrado(tmp_path: Path) -> None:
    id = uuid.uuid4()
    async with servicio(tmp_path, PasarelaSimulada(plazo_s=0.05)) as pagos:
        await pagos.mandar(pagar(id, "tok_lento"), revertir(id))
        await pagos.hasta(lambda: pagos.tipos(id) == ["PagoRevertido"], "se revirtiera")
        pago = await pagos.sistema.ejecutar_async(ObtenerPago(id_reserva=id))
        assert (pago.estado, pago.saldo) == ("REVERTIDO", 0)


async def test_revertir_antes_de_pagar_se_recuerda_y_lo_repetido_no_se_responde_dos_veces(tmp_path: Path) -> None:
    id, cobrada = uuid.uuid4(), uuid.uuid4()
    async with servicio(tmp_path, PasarelaSimulada()) as pagos:
        vuelta, ida = revertir(id), pagar(cobrada)
        await pagos.mandar(vuelta, vuelta, pagar(id), ida, ida, otra_vez(ida, str(uuid.uuid4())))
        await pagos.hasta(lambda: pagos.tipos(cobrada) == ["ReservaPagada"], "se cobrara")
        await pagos.mandar(ida, revertir(cobrada), revertir(cobrada))
        await pagos.hasta(lambda: len(pagos.publicados) >= 4, "se respondiera a todo")
        assert pagos.tipos(id) == ["PagoRevertido", "PagoRechazado"]
        assert pagos.tipos(cobrada) == ["ReservaPagada", "PagoRevertido"]
        revertidos = [p.pago_revertido for p in pagos.publicados if p.type == "PagoRevertido"]
        assert sorted(revertido.monto for revertido in revertidos) == [0, MONTO]


class Cortada:
    """Una pasarela que falla de mala manera unas cuantas veces y luego atiende."""

    def __init__(self, fallos: int) -> None:
        self.fallos = fallos
        self.claves: list[str] = []

    async def cobrar(self, cargo: Cargo) -> Aceptado | Rechazado:
        return Aceptado("A1")

    async def devolver(self, cargo: Cargo) -> int:
        self.claves.append(cargo.clave)
        if len(self.claves) <= self.fallos:
            raise ConnectionError("la pasarela no está")
        return cargo.monto


async def test_una_devolucion_que_falla_se_insiste_con_la_misma_clave_hasta_que_sale(tmp_path: Path) -> None:
    id, pasarela = uuid.uuid4(), Cortada(fallos=1)
    async with servicio(tmp_path, pasarela) as pagos:
        await pagos.mandar(pagar(id))
        await pagos.hasta(lambda: pagos.tipos(id) == ["ReservaPagada"], "se cobrara")
        await pagos.mandar(revertir(id))
        await pagos.hasta(lambda: len(pagos.tipos(id)) == 2, "se devolviera")
        assert pagos.tipos(id) == ["ReservaPagada", "PagoRevertido"]
    assert pasarela.claves == [str(id)] * 2


async def test_lo_que_no_es_un_pedido_va_a_las_letras_muertas(tmp_path: Path) -> None:
    id = uuid.uuid4()
    comando = partial(mensaje, comandos.ComandosPago, comandos.TOPICO)
    malo = comandos.PagarReserva(id_reserva="no es un id", monto=1)
    negativo = comandos.PagarReserva(id_reserva=str(id), monto=-1)
    async with servicio(tmp_path, PasarelaSimulada()) as pagos:
        await pagos.mandar(
            comando("Nada", id), comando("PagarReserva", id, pagar_reserva=malo),
            comando("PagarReserva", id, pagar_reserva=negativo), pagar(id),
        )  # fmt: skip
        await pagos.hasta(lambda: pagos.tipos() == ["ReservaPagada"], "se atendiera el bueno")
        await pagos.hasta_letras("aeroalpes-pagos-comandos", 3)


# --- por HTTP -------------------------------------------------------------------------------------------------------


def test_una_persona_ve_el_pago_de_una_reserva_con_sus_movimientos(suite: Aeroalpes) -> None:
    id, http = uuid.uuid4(), suite.api().http
    es_problema(http.get(f"/pagos/{id}"), 404)
    publicar(suite.datos, pagar(id), revertir(id))

    def revertido() -> dict[str, Any] | None:
        respuesta = http.get(f"/pagos/{id}")
        return respuesta.json() if respuesta.is_success and respuesta.json()["estado"] == "REVERTIDO" else None

    pago = hasta(revertido, "se revirtiera el pago")
    assert (pago["id_reserva"], pago["monto"], pago["saldo"], pago["motivo"]) == (str(id), MONTO, 0, "sin plazas")
    assert [(m["tipo"], m["monto"]) for m in pago["movimientos"]][-1] == ("PagoRevertido", MONTO)
    es_problema(http.get("/pagos/no-es-un-uuid"), 404)

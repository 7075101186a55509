"""La página en un navegador de verdad sobre la suite de verdad: la saga, el mapa y las letras muertas, sin recargar."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from tests.e2e.navegador import abrir_navegador, atributos, errores_de_consola, esperar, esperar_a, preferir, uno
from tests.e2e.suite import SuiteReal
from tests.integracion.eventos_reserva import conectado

PLAZO_S = 60.0
PASOS = ("PagarReserva", "ConfirmarReserva", "AprobarReserva")
CORREOS = "sub-notificacion-eventos-reservas"
ESPIAR = """
window.sinRecargar = true;
window.estados = [];
window.encendidos = new Set();
window.puntos = 0;
new MutationObserver((cambios) => {
  for (const { target, addedNodes } of cambios) {
    const { comando, estado, nombre } = target.dataset ?? {};
    if (target.matches("#saga [data-comando]")) window.estados.push(`${comando} ${estado}`);
    if (target.matches(".mapa-nodo.encendido")) window.encendidos.add(nombre);
    window.puntos += [...addedNodes].filter((nodo) => nodo.className === "mapa-punto").length;
  }
}).observe(document.body, { subtree: true, childList: true, attributeFilter: ["data-estado", "class"] });
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuiteReal]:
    """El API con su trabajador y la página; notificaciones la arranca quien la necesita."""
    with SuiteReal(tmp_path_factory.mktemp("suite")) as suite:
        suite.esperar(suite.lanzar("api"), suite.lanzar("ui"))
        yield suite


@pytest.fixture(scope="module")
def pagina(suite: SuiteReal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """La página abierta una sola vez, con lo que en ella cambie anotado."""
    with abrir_navegador(Path(tmp_path_factory.mktemp("perfil"))) as navegador:
        preferir(navegador, color_scheme="light", reduced_motion="no-preference")
        _abrir(navegador, suite)
        yield navegador


def _abrir(navegador: Chrome, suite: SuiteReal) -> None:
    navegador.get(suite.ui)
    esperar(navegador, '#estado-conexion[data-estado="conectado"]')
    esperar(navegador, '#mapa[data-listo="si"]')
    navegador.execute_script(ESPIAR)


def _reservar(pagina: Chrome) -> str:
    """Pulsa Reservar; vuelve con el id de la nueva cuando la página la está siguiendo."""
    anterior = uno(pagina, "#recorrido-id").get_attribute("textContent")
    boton = uno(pagina, "#boton-reservar")
    esperar_a(pagina, lambda: boton.get_attribute("aria-disabled") != "true")
    boton.click()
    id_reserva = esperar_a(pagina, lambda: (uno(pagina, "#recorrido-id").text or anterior) != anterior, PLAZO_S)
    assert id_reserva
    return uno(pagina, "#recorrido-id").text


def _saga_acabada(pagina: Chrome, estado: str) -> dict[str, str]:
    esperar(pagina, f'#saga:not([hidden]) #saga-estado[data-estado="{estado}"]', PLAZO_S)
    pasos = atributos(pagina, "#saga [data-comando]", "data-comando", "data-estado")
    return {paso: suyo for paso, suyo in pasos}  # noqa: C416 - para los tipos, `pasos` no son pares


@pytest.mark.capacidad("A11")
@pytest.mark.capacidad("X11")
def test_al_reservar_cada_paso_de_la_saga_llega_solo_y_los_mensajes_cruzan_el_mapa(pagina: Chrome) -> None:
    _reservar(pagina)
    pasos = _saga_acabada(pagina, "COMPLETADA")
    assert [pasos[paso] for paso in PASOS] == ["HECHO"] * 3
    esperar(pagina, '#recorrido [data-evento="ReservaAprobada"]', PLAZO_S)
    assert {("ReservaPagada", "eventos-pago"), ("ReservaConfirmada", "eventos-gds")} <= set(
        atributos(pagina, "#recorrido [data-topico]", "data-evento", "data-topico")
    )
    vistos = pagina.execute_script("return window.estados")
    hechos = [vistos.index(f"{paso} HECHO") for paso in PASOS]
    assert hechos == sorted(hechos)

    recorridos = {
        "eventos-reserva",
        "comandos-pago",
        "comandos-pasarela",
        "eventos-pago",
        "comandos-gds",
        "eventos-gds",
    }
    cruzan = {"sagas", "vuelos", "pagos", "gds", "precios_dinamicos"} | recorridos
    esperar_a(pagina, lambda: cruzan <= set(pagina.execute_script("return [...window.encendidos]")), PLAZO_S)
    assert pagina.execute_script("return window.puntos") > 0
    assert "Han pasado" in str(uno(pagina, '.mapa-frases [data-topico="eventos-reserva"]').get_attribute("textContent"))
    assert pagina.execute_script("return window.sinRecargar")
    assert errores_de_consola(pagina) == []


@pytest.mark.capacidad("X11")
def test_una_sin_plazas_ensena_lo_que_se_deshizo_y_por_que(pagina: Chrome) -> None:
    uno(pagina, ".opciones summary").click()
    uno(pagina, '[data-accion="sin-plazas"]').click()
    _reservar(pagina)
    pasos = _saga_acabada(pagina, "COMPENSADA")
    assert [pasos[paso] for paso in PASOS] == ["COMPENSADO", "FALLIDO", "PENDIENTE"]
    motivo = uno(pagina, '#saga [data-comando="ConfirmarReserva"] .paso-motivo').text
    assert "No hay plazas" in motivo
    assert motivo in uno(pagina, "#saga-motivo").text
    assert "Revertir pago" in uno(pagina, '#saga [data-comando="PagarReserva"]').text
    esperar(pagina, '#recorrido-estado[data-estado="CANCELADA"]', PLAZO_S)
    assert pagina.execute_script("return window.sinRecargar")


@pytest.mark.capacidad("X05")
@pytest.mark.capacidad("X11")
def test_una_letra_muerta_se_ve_y_reenviada_desde_la_pagina_se_atiende(pagina: Chrome, suite: SuiteReal) -> None:
    """El correo de una reserva no se pudo mandar; arreglado el servidor de correo, se reenvía y el correo llega."""
    id_reserva = asyncio.run(_desechar_la_primera(suite.broker, "SMTP 552: el buzón está lleno"))
    letra = esperar(pagina, "#letras .letra", PLAZO_S)
    assert CORREOS in letra.text
    assert "SMTP 552: el buzón está lleno" in letra.text
    assert uno(pagina, "#chapa-letras").text == "1 letra muerta"
    uno(pagina, '#letras [data-accion="ver"]').click()
    contenido = esperar(pagina, ".letra-contenido").text
    assert "Contenido: ReservaCreada" in contenido
    assert f'"id_reserva": "{id_reserva}"' in contenido
    assert "Bytes" in contenido

    uno(pagina, '#letras [data-accion="reenviar"]').click()
    esperar_a(pagina, lambda: atributos(pagina, "#letras .letra", "data-letra") == [], PLAZO_S)
    assert not uno(pagina, "#chapa-letras").is_displayed()
    suite.arrancar("notificaciones")
    uno(pagina, f'#lista-reservas [data-id="{id_reserva}"]').click()
    esperar_a(pagina, lambda: "«Recibimos tu reserva" in uno(pagina, "#eventos").text, PLAZO_S)
    assert pagina.execute_script("return window.sinRecargar")


async def _desechar_la_primera(broker: str, motivo: str) -> str:
    """Hace de notificaciones con la primera reserva que se creó, y no puede con ella."""
    async with conectado(broker) as conexion:
        suscripcion = await conexion.suscribir(CORREOS, ["eventos-reserva"])
        primera, *resto = await suscripcion.recibir(100)
        await suscripcion.desechar(primera, motivo)
        await suscripcion.devolver(resto)
        await suscripcion.cerrar()
    assert primera.mensaje.cabeceras["type"] == "ReservaCreada"
    return str(primera.mensaje.clave)


@pytest.mark.capacidad("X11")
def test_una_coreografiada_dice_que_va_sin_saga_y_su_recorrido_llega_igual(pagina: Chrome, tmp_path: Path) -> None:
    with SuiteReal(tmp_path, AEROALPES_SAGA="coreografiada") as suite:
        suite.esperar(suite.lanzar("api"), suite.lanzar("ui"))
        _abrir(pagina, suite)
        _reservar(pagina)
        esperar(pagina, '#recorrido [data-evento="ReservaAprobada"]', PLAZO_S)
        esperar(pagina, '#saga:not([hidden]) #saga-estado[data-estado="SIN_SAGA"]', PLAZO_S)
        assert "los contextos se escuchan entre sí" in uno(pagina, "#saga-motivo").text
        assert atributos(pagina, "#saga [data-comando]", "data-comando") == []
        assert not uno(pagina, ".saga-diario").is_displayed()

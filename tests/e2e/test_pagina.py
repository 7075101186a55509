"""La página en un navegador de verdad, contra un API y una fuente de eventos puestos por la prueba."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.keys import Keys
from tests.e2e.navegador import (
    abrir_navegador,
    ajustar,
    atributos,
    errores_de_consola,
    esperar,
    esperar_a,
    preferir,
    todos,
    uno,
)
from tests.unit.ui.falsos import (
    ApiFalsa,
    FuenteFalsa,
    configuracion,
    evento,
    letra_muerta,
    saga,
    sirviendo_en_hilo,
)
from yarl import URL

from ui.servidor import crear_app

CONECTADO = '#estado-conexion[data-estado="conectado"]'
CREADA = '#recorrido [data-evento="ReservaCreada"]'
AUDITORIA = (Path(__file__).parents[1] / "unit" / "ui" / "auditoria_accesible.js").read_text()


DESHACIENDOSE = saga(
    "COMPENSANDO",
    "No hay plazas",
    PagarReserva="COMPENSADO",
    ReservarHotel="COMPENSANDO",
    ConfirmarReserva="FALLIDO",
    ReservarVehiculo="PEDIDO",
    AprobarReserva="HECHO",
    OtroPaso="PENDIENTE",
)


class Suite:
    """El servidor de la página, que se puede parar y volver a arrancar en el mismo puerto."""

    def __init__(self, api: ApiFalsa, fuente: FuenteFalsa, url_api: str) -> None:
        self.api, self.fuente = api, fuente
        self._conf = configuracion(aeroalpes_address="127.0.0.1", aeroalpes_puerto=URL(url_api).port)
        with socket.socket() as libre:
            libre.bind(("127.0.0.1", 0))
            self._puerto = libre.getsockname()[1]
        self._pila = ExitStack()
        self.url = f"http://localhost:{self._puerto}/"

    def arrancar(self) -> None:
        self._pila.enter_context(sirviendo_en_hilo(lambda: crear_app(self.fuente, self._conf), self._puerto))

    def parar(self) -> None:
        self._pila.close()


@pytest.fixture
def suite() -> Iterator[Suite]:
    fuente = FuenteFalsa()
    api = ApiFalsa(fuente)
    with sirviendo_en_hilo(api.app) as url_api:
        suite = Suite(api, fuente, url_api)
        suite.arrancar()
        yield suite
        suite.parar()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with abrir_navegador(tmp_path_factory.mktemp("perfil")) as navegador:
        yield navegador


@pytest.fixture
def navegador(chromium: Chrome, suite: Suite) -> Chrome:
    """La página recién abierta y conectada."""
    ajustar(chromium, 1280, 1000)
    preferir(chromium, color_scheme="light", reduced_motion="reduce")
    chromium.get(suite.url)
    chromium.execute_script("localStorage.clear()")
    chromium.get(suite.url)
    esperar(chromium, CONECTADO)
    errores_de_consola(chromium)
    return chromium


def _vuelo(origen: str, destino: str) -> list[dict[str, Any]]:
    tramo = {
        "fecha_salida": "2026-12-01T10:00:00Z",
        "fecha_llegada": "2026-12-01T12:00:00Z",
        "origen": {"codigo": origen, "nombre": origen},
        "destino": {"codigo": destino, "nombre": destino},
    }
    return [{"odos": [{"segmentos": [{"legs": [tramo]}]}]}]


def _reservas_posteadas(suite: Suite) -> list[dict[str, str]]:
    return [cabeceras for metodo, _, cabeceras in suite.api.peticiones if metodo == "POST"]


def test_con_un_clic_se_reserva_y_sus_eventos_llegan_solos(navegador: Chrome, suite: Suite) -> None:
    assert uno(navegador, "#lista-vacia").is_displayed()
    navegador.execute_script("window.sinRecargar = true")
    uno(navegador, "#boton-reservar").click()
    esperar(navegador, CREADA)
    esperar(navegador, '#recorrido [data-evento="correo.enviado"]')
    (reserva,) = suite.api.reservas
    assert uno(navegador, "#recorrido-id").text == reserva["id"]
    assert uno(navegador, "#recorrido-ruta").text == "BOG → JFK"
    for estacion in ("api", "unidad-trabajo", "outbox", "broker", "notificaciones", "pagina"):
        assert uno(navegador, f'[data-estacion="{estacion}"]').get_attribute("data-alcanzada") == "si"
    (fila,) = todos(navegador, "#lista-reservas [data-id]")
    assert fila.get_attribute("data-id") == reserva["id"]
    assert fila.get_attribute("aria-current") == "true"
    esperar_a(navegador, lambda: fila.get_attribute("data-estado") == "PENDIENTE")
    suite.fuente.emitir(evento("ReservaAprobada", str(reserva["id"])))
    esperar(navegador, f'#lista-reservas [data-id="{reserva["id"]}"][data-estado="APROBADA"]')
    assert uno(navegador, "#recorrido-estado").text == "APROBADA"
    assert navegador.execute_script("return window.sinRecargar")
    assert errores_de_consola(navegador) == []


def test_lo_que_se_manda_es_el_ejemplo_del_tutorial(navegador: Chrome, suite: Suite) -> None:
    uno(navegador, "#boton-reservar").click()
    esperar(navegador, CREADA)
    tramo = {
        "fecha_salida": "2022-11-22T13:10:00Z",
        "fecha_llegada": "2022-11-22T15:10:00Z",
        "destino": {"codigo": "JFK", "nombre": "John F. Kennedy International Airport"},
        "origen": {"codigo": "BOG", "nombre": "El Dorado - Bogotá International Airport (BOG)"},
    }
    assert suite.api.reservas[0]["itinerarios"] == [{"odos": [{"segmentos": [{"legs": [tramo]}]}]}]


def test_aceptada_y_sin_eventos_todavia_esta_en_camino(navegador: Chrome, suite: Suite) -> None:
    suite.api.emite = False
    uno(navegador, "#boton-reservar").click()
    esperar(navegador, '#recorrido [data-paso="aceptada"]')
    assert "en camino" in uno(navegador, "#recorrido-nota").text
    assert uno(navegador, '[data-estacion="pagina"]').get_attribute("data-alcanzada") == "no"
    suite.fuente.emitir(evento("ReservaCreada", str(suite.api.reservas[0]["id"])))
    esperar(navegador, CREADA)
    assert not uno(navegador, "#recorrido-nota").is_displayed()


def test_un_evento_de_tipo_desconocido_es_un_paso_mas(navegador: Chrome, suite: Suite) -> None:
    id_reserva = suite.api.crear(_vuelo("BOG", "MAD"))
    esperar(navegador, f'#lista-reservas [data-id="{id_reserva}"]').click()
    suite.fuente.emitir(evento("AsientoLiberado", id_reserva, asiento="12C <b>x</b>"))
    paso = esperar(navegador, '#recorrido [data-evento="AsientoLiberado"]')
    assert "Asiento liberado" in paso.text
    assert "asiento: 12C <b>x</b>" in paso.text
    assert [p.get_attribute("data-evento") for p in todos(navegador, "#recorrido [data-evento]")] == [
        "ReservaCreada",
        "correo.enviado",
        "AsientoLiberado",
    ]


def test_una_cancelada_dice_su_motivo(navegador: Chrome, suite: Suite) -> None:
    id_reserva = suite.api.crear(_vuelo("BOG", "MAD"))
    suite.fuente.emitir(evento("ReservaCancelada", id_reserva, motivo="El medio de pago fue rechazado"))
    esperar(navegador, f'#lista-reservas [data-id="{id_reserva}"][data-estado="CANCELADA"]').click()
    assert "El medio de pago fue rechazado" in esperar(navegador, '[data-evento="ReservaCancelada"]').text


def test_cada_paso_de_la_saga_cambia_de_estado_en_su_sitio(navegador: Chrome, suite: Suite) -> None:
    def pasos() -> list[tuple[str, ...]]:
        return atributos(navegador, "#saga .saga-pasos > li", "data-comando", "data-estado")

    id_reserva = suite.api.crear(_vuelo("BOG", "MAD"))
    suite.api.sagas[id_reserva] = saga(ReservarHotel="PENDIENTE")
    esperar(navegador, f'#lista-reservas [data-id="{id_reserva}"]').click()
    suite.fuente.emitir(evento("PagarReserva", id_reserva, interno=True, topico="comandos-pago"))
    esperar(navegador, "#saga:not([hidden])")
    assert pasos() == [
        ("PagarReserva", "PEDIDO"),
        ("ConfirmarReserva", "PENDIENTE"),
        ("AprobarReserva", "PENDIENTE"),
        ("ReservarHotel", "PENDIENTE"),
    ]
    suite.api.sagas[id_reserva] = saga(
        "COMPENSADA", "No hay plazas", PagarReserva="COMPENSADO", ConfirmarReserva="FALLIDO", ReservarHotel="PENDIENTE"
    )
    suite.fuente.emitir(evento("ConfirmacionRechazada", id_reserva, interno=True, topico="eventos-gds", motivo="No"))
    esperar(navegador, '#saga-estado[data-estado="COMPENSADA"]')
    assert [estado for _, estado in pasos()] == ["COMPENSADO", "FALLIDO", "PENDIENTE", "PENDIENTE"]
    assert uno(navegador, '#saga [data-comando="ConfirmarReserva"] .paso-motivo').text == "No hay plazas"
    assert "Se deshizo con «Revertir pago»" in uno(navegador, '#saga [data-comando="PagarReserva"]').text
    assert "No hay plazas" in uno(navegador, "#saga-motivo").text


def test_lo_interno_no_cambia_el_estado_de_la_reserva_ni_inventa_reservas(navegador: Chrome, suite: Suite) -> None:
    id_reserva = suite.api.crear(_vuelo("BOG", "MAD"))
    suite.fuente.emitir(
        evento("ClienteCreado", interno=True, topico="eventos-cliente") | {"data": {}},
        evento("ReservaPagada", id_reserva, interno=True, topico="eventos-pago", monto=12_000),
    )
    esperar(navegador, f'#lista-reservas [data-id="{id_reserva}"]').click()
    assert "Pago cobrado" in esperar(navegador, '#recorrido [data-topico="eventos-pago"]').text
    assert uno(navegador, "#recorrido-estado").text == "PENDIENTE"
    assert len(todos(navegador, "#lista-reservas [data-id]")) == 1


def test_una_letra_muerta_se_descarta_solo_si_se_confirma(navegador: Chrome, suite: Suite) -> None:
    suite.api.letras = [letra_muerta("a"), letra_muerta("b")]
    navegador.refresh()
    esperar(navegador, '#letras [data-letra="a"] [data-accion="descartar"]').click()
    esperar(navegador, "#descartar-letra[open]")
    assert navegador.switch_to.active_element.get_attribute("value") == "conservar"
    ActionChains(navegador).send_keys(Keys.ESCAPE).perform()
    esperar_a(navegador, lambda: not todos(navegador, "#descartar-letra[open]"))
    assert len(suite.api.letras) == 2

    uno(navegador, '#letras [data-letra="a"] [data-accion="descartar"]').click()
    esperar(navegador, '#descartar-letra[open] [value="descartar"]').click()
    esperar_a(navegador, lambda: atributos(navegador, "#letras .letra", "data-letra") == [("b",)])
    assert uno(navegador, "#chapa-letras").text == "1 letra muerta"
    assert [(metodo, ruta) for metodo, ruta, _ in suite.api.peticiones if "letras" in ruta] == [
        ("DELETE", "/letras-muertas/a")
    ]


def test_las_opciones_solo_se_mandan_si_se_eligen(navegador: Chrome, suite: Suite) -> None:
    uno(navegador, "#boton-reservar").click()
    esperar(navegador, CREADA)
    uno(navegador, ".opciones summary").click()
    uno(navegador, '[name="medio"] [value="tok_rechazado"]').click()
    uno(navegador, '[data-accion="sin-plazas"]').click()
    uno(navegador, '[name="dias"]').send_keys("3")
    uno(navegador, '[name="edad"]').send_keys("19")
    boton = uno(navegador, "#boton-reservar")
    esperar_a(navegador, lambda: boton.get_attribute("aria-disabled") == "false")
    boton.click()
    esperar_a(navegador, lambda: len(suite.api.cuerpos) == 2)
    simple, probada = suite.api.cuerpos
    assert simple.keys() == {"itinerarios"}
    assert probada.keys() == {"itinerarios", "pago", "vehiculo"}
    assert probada["pago"] == {"medio": "tok_rechazado"}
    assert probada["vehiculo"] == {"dias": 3, "edad_conductor": 19}
    assert probada["itinerarios"][0]["odos"][0]["segmentos"][0]["legs"][0]["destino"]["codigo"] == "ZZZ"


def test_lo_que_otros_reservan_aparece_en_la_lista_sin_recargar(navegador: Chrome, suite: Suite) -> None:
    for origen in ("MDE", "CLO", "CTG"):
        suite.api.crear(_vuelo(origen, "MIA"))
    esperar_a(
        navegador,
        lambda: (
            [fila.text for fila in todos(navegador, "#lista-reservas .talon-ruta")]
            == ["CTG → MIA", "CLO → MIA", "MDE → MIA"]
        ),
    )


def test_un_doble_clic_no_reserva_dos_veces(navegador: Chrome, suite: Suite) -> None:
    ActionChains(navegador).double_click(uno(navegador, "#boton-reservar")).perform()
    esperar(navegador, CREADA)
    boton = uno(navegador, "#boton-reservar")
    esperar_a(navegador, lambda: boton.get_attribute("aria-disabled") == "false")
    assert len(_reservas_posteadas(suite)) == 1
    boton.click()
    esperar_a(navegador, lambda: len(suite.api.reservas) == 2)
    claves = {cabeceras["Idempotency-Key"] for cabeceras in _reservas_posteadas(suite)}
    assert len(claves) == 2


def test_un_reintento_tras_un_fallo_incierto_lleva_la_misma_clave(navegador: Chrome, suite: Suite) -> None:
    suite.api.problema = {"title": "Mal momento", "status": 503, "detail": "El broker no responde"}
    boton = uno(navegador, "#boton-reservar")
    boton.click()
    assert "El broker no responde" in esperar(navegador, "#errores-formulario:not([hidden])").text
    esperar_a(navegador, lambda: boton.text == "Reintentar")
    suite.api.problema = None
    boton.click()
    esperar(navegador, CREADA)
    primera, segunda = (cabeceras["Idempotency-Key"] for cabeceras in _reservas_posteadas(suite))
    assert primera == segunda


def test_el_problema_del_api_se_ensena_en_su_campo_y_en_su_frase(navegador: Chrome, suite: Suite) -> None:
    suite.api.problema = {
        "title": "Regla incumplida",
        "status": 422,
        "detail": "El origen y el destino deben ser distintos",
        "errors": [
            {"pointer": "#/itinerarios/0/odos/1/segmentos/0/legs/0/destino/codigo", "detail": "Igual que el origen"},
            {"pointer": "#/otra/cosa", "detail": "Y algo más"},
        ],
    }
    uno(navegador, 'input[value="ida-y-vuelta"]').click()
    uno(navegador, "#boton-reservar").click()
    assert esperar(navegador, "#errores-formulario:not([hidden])").text == (
        "El origen y el destino deben ser distintos · Y algo más"
    )
    campo = uno(navegador, '[data-odo="vuelta"] [name="destino-codigo"]')
    assert campo.get_attribute("aria-invalid") == "true"
    assert uno(navegador, f"#{campo.get_attribute('aria-describedby')}").text == "Igual que el origen"
    assert navegador.switch_to.active_element == campo


def test_ida_y_vuelta_con_varios_tramos_se_manda_entera(navegador: Chrome, suite: Suite) -> None:
    uno(navegador, '[data-odo="ida"] [data-accion="anadir-tramo"]').click()
    navegador.switch_to.active_element.send_keys("mad", Keys.TAB)
    uno(navegador, 'input[value="ida-y-vuelta"]').click()
    uno(navegador, "#boton-reservar").click()
    esperar(navegador, CREADA)
    odos = suite.api.reservas[0]["itinerarios"][0]["odos"]
    rutas = [
        [(leg["origen"]["codigo"], leg["destino"]["codigo"]) for leg in odo["segmentos"][0]["legs"]] for odo in odos
    ]
    assert rutas == [[("BOG", "JFK"), ("JFK", "MAD")], [("MAD", "BOG")]]
    assert odos[0]["segmentos"][0]["legs"][1]["destino"]["nombre"] == "Adolfo Suárez Madrid-Barajas Airport"
    assert uno(navegador, "#recorrido-ruta").text == "BOG ⇄ MAD"


def test_al_reiniciarse_el_servidor_la_pagina_vuelve_sola_y_no_pierde_ni_repite_nada(
    navegador: Chrome, suite: Suite
) -> None:
    uno(navegador, "#boton-reservar").click()
    esperar(navegador, '[data-evento="correo.enviado"]')
    id_reserva = str(suite.api.reservas[0]["id"])
    suite.parar()
    esperar(navegador, '#estado-conexion[data-estado="reconectando"]')
    suite.fuente.emitir(evento("ReservaPagada", id_reserva, estado="PAGADA", fecha_actualizacion=1_700_000_000_000))
    otra = suite.api.crear(_vuelo("UIO", "LIM"))
    suite.arrancar()
    esperar(navegador, CONECTADO, plazo_s=20)
    esperar(navegador, '#recorrido [data-evento="ReservaPagada"]')
    assert uno(navegador, '[data-evento="ReservaPagada"] .explicacion').text.startswith("Pasa a PAGADA · llegó aquí en")
    suite.fuente.emitir(evento("ReservaAprobada", id_reserva))
    esperar(navegador, '#recorrido [data-evento="ReservaAprobada"]')
    assert [p.get_attribute("data-evento") for p in todos(navegador, "#recorrido [data-evento]")] == [
        "ReservaCreada",
        "correo.enviado",
        "ReservaPagada",
        "ReservaAprobada",
    ]
    esperar(navegador, f'#lista-reservas [data-id="{otra}"]')


def test_una_recarga_conserva_la_reserva_elegida_y_sus_eventos(navegador: Chrome, suite: Suite) -> None:
    primera = suite.api.crear(_vuelo("UIO", "LIM"))
    suite.api.crear(_vuelo("BOG", "MAD"))
    esperar(navegador, f'#lista-reservas [data-id="{primera}"]').click()
    navegador.refresh()
    esperar(navegador, CREADA)
    assert uno(navegador, "#recorrido-id").text == primera


def test_con_el_api_caida_la_pagina_lo_dice_y_se_repone_sola(navegador: Chrome, suite: Suite) -> None:
    suite.api.emite = False
    id_reserva = suite.api.crear(_vuelo("BOG", "CTG"))
    suite.api.caida = True
    navegador.refresh()
    assert "no responde" in esperar(navegador, "#aviso-lista:not([hidden])").text
    suite.api.caida = False
    esperar(navegador, f'#lista-reservas [data-id="{id_reserva}"]')
    assert not uno(navegador, "#aviso-lista").is_displayed()


def test_las_reservas_anteriores_se_piden_por_paginas(navegador: Chrome, suite: Suite) -> None:
    suite.api.emite = False
    for minuto in range(45):
        suite.api.crear(_vuelo("BOG", "CTG"))
        suite.api.reservas[0]["fecha_creacion"] = f"2026-11-01T10:{minuto:02}:00Z"
    navegador.refresh()
    mas = esperar(navegador, "#boton-mas:not([hidden])")
    for vistas in (20, 40, 45):
        esperar_a(navegador, lambda vistas=vistas: len(todos(navegador, "#lista-reservas [data-id]")) == vistas)
        if mas.is_displayed():
            mas.click()
    ids = [fila.get_attribute("data-id") for fila in todos(navegador, "#lista-reservas [data-id]")]
    assert ids == [reserva["id"] for reserva in suite.api.reservas]
    assert not mas.is_displayed()


def test_el_tema_sigue_al_sistema_hasta_que_se_elige_y_se_recuerda(navegador: Chrome, suite: Suite) -> None:
    def fondo() -> str:
        return str(navegador.execute_script("return getComputedStyle(document.body).backgroundColor"))

    claro = fondo()
    preferir(navegador, color_scheme="dark", reduced_motion="reduce")
    esperar_a(navegador, lambda: fondo() != claro)
    oscuro = fondo()
    boton = uno(navegador, "#boton-tema")
    assert boton.get_attribute("aria-pressed") == "true"
    boton.click()
    assert fondo() == claro
    navegador.refresh()
    assert fondo() == claro
    assert fondo() != oscuro


def test_se_reserva_y_se_recorre_la_lista_solo_con_el_teclado(navegador: Chrome, suite: Suite) -> None:
    otra = suite.api.crear(_vuelo("UIO", "LIM"))
    esperar(navegador, f'#lista-reservas [data-id="{otra}"]')

    def avanzar_hasta(selector: str) -> None:
        for _ in range(60):
            ActionChains(navegador).send_keys(Keys.TAB).perform()
            if navegador.execute_script("return document.activeElement.matches(arguments[0])", selector):
                contorno = "return getComputedStyle(document.activeElement).outlineStyle"
                assert navegador.execute_script(contorno) != "none"
                return
        raise AssertionError(f"con el tabulador no se llega a {selector}")

    avanzar_hasta(".salto")
    avanzar_hasta("#boton-reservar")
    ActionChains(navegador).send_keys(Keys.ENTER).perform()
    esperar(navegador, CREADA)
    assert navegador.execute_script("return document.activeElement.id") == "boton-reservar"
    esperar_a(navegador, lambda: uno(navegador, "#anuncios").get_attribute("textContent") != "")
    avanzar_hasta(f'#lista-reservas [data-id="{otra}"]')
    ActionChains(navegador).send_keys(Keys.ENTER).perform()
    esperar_a(navegador, lambda: uno(navegador, "#recorrido-id").text == otra)


@pytest.mark.parametrize("ancho_px", [360, 1920])
@pytest.mark.parametrize("tema", ["light", "dark"])
def test_la_pagina_cabe_y_es_accesible(navegador: Chrome, suite: Suite, ancho_px: int, tema: str) -> None:
    ajustar(navegador, ancho_px, 900)
    preferir(navegador, color_scheme=tema, reduced_motion="reduce")
    suite.api.problema = {
        "title": "x",
        "status": 422,
        "detail": "Una regla",
        "errors": [{"pointer": "/id_cliente", "detail": "No"}],
    }
    uno(navegador, 'input[value="ida-y-vuelta"]').click()
    uno(navegador, '[data-odo="ida"] [data-accion="anadir-tramo"]').click()
    navegador.switch_to.active_element.send_keys("mad", Keys.TAB)
    uno(navegador, "#boton-reservar").click()
    esperar(navegador, ".error-campo")
    suite.api.letras = [letra_muerta(motivo="ValueError: " + "palabraInterminable" * 20)]
    for estado in ("ReservaPagada", "ReservaAprobada", "ReservaCancelada"):
        id_reserva = suite.api.crear(_vuelo("BOG", "MAD"))
        suite.api.sagas[id_reserva] = DESHACIENDOSE
        suite.fuente.emitir(evento(estado, id_reserva, motivo="Sin asientos"))
    esperar(navegador, '#lista-reservas [data-estado="CANCELADA"]').click()
    esperar(navegador, '#saga [data-estado="COMPENSADO"]')
    navegador.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    suite.fuente.emitir(evento("PagarReserva", interno=True, topico="comandos-pago"))
    esperar(navegador, '#letras [data-accion="ver"]').send_keys(Keys.ENTER)
    esperar(navegador, ".letra-contenido")
    defectos = navegador.execute_script(AUDITORIA)
    assert defectos == [], json.dumps(defectos, ensure_ascii=False, indent=1)
    assert navegador.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_con_movimiento_reducido_nada_se_mueve(navegador: Chrome, suite: Suite) -> None:
    uno(navegador, "#boton-reservar").click()
    esperar(navegador, CREADA)
    assert navegador.execute_script("return document.getAnimations().length") == 0

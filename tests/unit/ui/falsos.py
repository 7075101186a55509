"""Lo que rodea al proceso ui en sus pruebas: una fuente de eventos, un API y un servidor en un puerto libre."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from aiohttp import web

from ui.configuracion import Configuracion

T = TypeVar("T")
Evento = dict[str, Any]


def evento(
    tipo: str = "ReservaCreada",
    id_reserva: str | None = None,
    *,
    topico: str = "eventos-reserva",
    interno: bool = False,
    **datos: Any,
) -> Evento:
    """Un CloudEvent como los que trae la fuente, ocurrido ahora."""
    ahora = datetime.now(UTC)
    id_reserva = id_reserva or str(uuid4())
    if tipo == "ReservaCreada":
        datos = {
            "id_cliente": str(uuid4()),
            "estado": "PENDIENTE",
            "fecha_creacion": int(ahora.timestamp() * 1000),
        } | datos
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "type": tipo,
        "source": "/aeroalpes/notificaciones" if tipo.startswith("correo.") else "/aeroalpes/vuelos",
        "time": ahora.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ingestion": ahora.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "subject": id_reserva,
        "topico": topico,
        **({"interno": True} if interno else {}),
        "datacontenttype": "application/json",
        "data": {"id_reserva": id_reserva, **datos},
    }


MAPA = [
    {
        "contexto": "vuelos",
        "publica": [{"topico": "eventos-reserva", "mensajes": ["ReservaCreada", "ReservaAprobada"]}],
        "atiende": [{"topico": "eventos-pago", "suscripcion": "aeroalpes-sub-eventos"}],
    },
    {
        "contexto": "pagos",
        "publica": [{"topico": "eventos-pago", "mensajes": ["ReservaPagada", "PagoRechazado"]}],
        "atiende": [{"topico": "comandos-pago", "suscripcion": "aeroalpes-pagos-comandos"}],
    },
    {
        "contexto": "sagas",
        "publica": [
            {"topico": "comandos-pago", "mensajes": ["PagarReserva"]},
            {"topico": "comandos-vehiculo", "mensajes": ["ReservarVehiculo"]},
        ],
        "atiende": [{"topico": "eventos-pago", "suscripcion": "aeroalpes-sagas-pago"}],
    },
    {
        "contexto": "precios_dinamicos",
        "publica": [],
        "atiende": [{"topico": "eventos-reserva", "suscripcion": "aeroalpes-precios-eventos"}],
    },
]


def saga(estado: str = "EN_CURSO", motivo: str | None = None, **pasos: str) -> dict[str, Any]:
    """Una saga como la dice el API; `pasos` es el estado de cada comando."""
    compensaciones = {"PagarReserva": "RevertirPago", "ConfirmarReserva": "RevertirConfirmacion"}
    estados = {"PagarReserva": "PEDIDO", "ConfirmarReserva": "PENDIENTE", "AprobarReserva": "PENDIENTE"} | pasos
    return {
        "version": 1,
        "estado": estado,
        "motivo": motivo,
        "fecha_creacion": "2026-11-29T13:00:00Z",
        "fecha_actualizacion": "2026-11-29T13:00:01Z",
        "vence": None,
        "pasos": [
            {"comando": comando, "estado": suyo, "compensacion": compensaciones.get(comando)}
            for comando, suyo in estados.items()
        ],
        "diario": [
            {
                "fecha": "2026-11-29T13:00:00Z",
                "que": "INICIADA",
                "mensaje": "ReservaCreada",
                "detalle": None,
                "id_mensaje": "1",
            }
        ],
    }


def letra_muerta(id: str = "7", motivo: str = "No es un ComandosPago válido") -> dict[str, Any]:
    """Una letra muerta como la dice el API."""
    return {
        "id": id,
        "suscripcion": "aeroalpes-pagos-comandos",
        "topico": "comandos-pago",
        "clave": "k",
        "motivo": motivo,
        "intentos": 1,
        "fecha": "2026-11-29T13:00:00.000Z",
    }


class FuenteFalsa:
    """Guarda cuanto se emite; cada apertura lo relee desde el principio y sigue en vivo. Sirve entre hilos."""

    def __init__(self) -> None:
        self.emitidos: list[Evento] = []
        self.aperturas = 0
        self.cierres = 0
        self.averia: Exception | None = None
        self._esperas: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def emitir(self, *eventos: Evento) -> None:
        self.emitidos.extend(eventos)
        self._despertar()

    def averiar(self, error: Exception | None) -> None:
        self.averia = error
        self._despertar()

    def _despertar(self) -> None:
        for loop, novedad in tuple(self._esperas):
            loop.call_soon_threadsafe(novedad.set)

    async def __call__(self) -> AsyncIterator[Evento]:
        self.aperturas += 1
        espera = (asyncio.get_running_loop(), asyncio.Event())
        self._esperas.add(espera)
        leidos = 0
        try:
            while True:
                if self.averia is not None:
                    raise self.averia
                while leidos < len(self.emitidos):
                    leidos += 1
                    yield self.emitidos[leidos - 1]
                espera[1].clear()
                if leidos == len(self.emitidos) and self.averia is None:
                    await espera[1].wait()
        finally:
            self._esperas.discard(espera)
            self.cierres += 1


@dataclass
class ApiFalsa:
    """El API visto desde fuera: guarda reservas, respeta Idempotency-Key y cuenta a la fuente lo que pasa."""

    fuente: FuenteFalsa
    reservas: list[Evento] = field(default_factory=list)
    peticiones: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    problema: dict[str, Any] | None = None
    demora_s: float = 0.0
    emite: bool = True
    caida: bool = False
    sagas: dict[str, dict[str, Any]] = field(default_factory=dict)
    letras: list[dict[str, Any]] = field(default_factory=list)
    cuerpos: list[dict[str, Any]] = field(default_factory=list)
    _por_clave: dict[str, str] = field(default_factory=dict)

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.post("/vuelos/reserva-comando", self._reservar),
                web.post("/vuelos/reserva", self._reservar),
                web.get("/vuelos/{vista:reserva|reserva-query}", self._pagina),
                web.get("/vuelos/{vista:reserva|reserva-query}/{id}", self._una),
                web.delete("/vuelos/reserva", self._pagina),
                web.get("/mapa", self._mapa),
                web.get("/sagas/{id}", self._saga),
                web.get("/letras-muertas/", self._letras),
                web.get("/letras-muertas/{id}", self._letra),
                web.post("/letras-muertas/{id}/reenviar", self._decidir),
                web.delete("/letras-muertas/{id}", self._decidir),
            ]
        )
        return app

    def crear(self, itinerarios: list[Any], id_cliente: str | None = None) -> str:
        fecha = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        reserva = {
            "id": str(uuid4()),
            "id_cliente": id_cliente,
            "estado": "PENDIENTE",
            "fecha_creacion": fecha,
            "fecha_actualizacion": fecha,
            "itinerarios": itinerarios,
        }
        self.reservas.insert(0, reserva)
        if self.emite:
            id_reserva = str(reserva["id"])
            self.fuente.emitir(
                evento("ReservaCreada", id_reserva),
                evento("correo.enviado", id_reserva, destinatario="ana@ejemplo.co", asunto="Recibimos su reserva"),
            )
        return str(reserva["id"])

    async def _anotar(self, peticion: web.Request) -> None:
        self.peticiones.append((peticion.method, peticion.path_qs, dict(peticion.headers)))
        await asyncio.sleep(self.demora_s)

    async def _reservar(self, peticion: web.Request) -> web.Response:
        await self._anotar(peticion)
        cuerpo = await peticion.json()
        self.cuerpos.append(cuerpo)
        if self.problema is not None:
            return web.json_response(
                self.problema, status=self.problema["status"], content_type="application/problem+json"
            )
        clave = peticion.headers.get("Idempotency-Key", str(uuid4()))
        if clave not in self._por_clave:
            self._por_clave[clave] = self.crear(cuerpo["itinerarios"], cuerpo.get("id_cliente"))
        id_reserva = self._por_clave[clave]
        return web.json_response(
            {"id": id_reserva},
            status=202,
            headers={"Location": f"/vuelos/reserva-query/{id_reserva}", "X-Interna": "no debe salir"},
        )

    async def _pagina(self, peticion: web.Request) -> web.Response:
        await self._anotar(peticion)
        if self.caida:
            problema = {"type": "about:blank", "title": "Caída", "status": 503, "detail": "La base no responde"}
            return web.json_response(problema, status=503, content_type="application/problem+json")
        limite, inicio = int(peticion.query.get("limite", "20")), int(peticion.query.get("cursor", "0"))
        siguiente = str(inicio + limite) if len(self.reservas) > inicio + limite else None
        return web.json_response({"reservas": self.reservas[inicio : inicio + limite], "siguiente": siguiente})

    async def _mapa(self, peticion: web.Request) -> web.Response:
        return web.json_response({"contextos": MAPA})

    async def _saga(self, peticion: web.Request) -> web.Response:
        return web.json_response(self.sagas.get(peticion.match_info["id"]) or saga())

    async def _letras(self, peticion: web.Request) -> web.Response:
        return web.json_response({"letras": self.letras})

    async def _letra(self, peticion: web.Request) -> web.Response:
        [letra] = [letra for letra in self.letras if letra["id"] == peticion.match_info["id"]]
        return web.json_response({**letra, "cabeceras": {"type": "PagarReserva"}, "cuerpo_base64": "/wA="})

    async def _decidir(self, peticion: web.Request) -> web.Response:
        await self._anotar(peticion)
        self.letras = [letra for letra in self.letras if letra["id"] != peticion.match_info["id"]]
        return web.Response(status=204)

    async def _una(self, peticion: web.Request) -> web.Response:
        await self._anotar(peticion)
        for reserva in self.reservas:
            if reserva["id"] == peticion.match_info["id"]:
                return web.json_response(reserva)
        problema = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "No hay tal reserva"}
        return web.json_response(problema, status=404, content_type="application/problem+json")


def configuracion(**valores: Any) -> Configuracion:
    """La configuración de una prueba: la que se dice aquí, sin mirar ningún `.env`."""
    return Configuracion(_env_file=None, **valores)


@asynccontextmanager
async def sirviendo(app: web.Application, puerto: int = 0) -> AsyncIterator[str]:
    """Sirve la aplicación en loopback mientras dura el bloque; da `http://127.0.0.1:<puerto>`."""
    ejecutor = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await ejecutor.setup()
    try:
        await web.TCPSite(ejecutor, "127.0.0.1", puerto).start()
        yield f"http://127.0.0.1:{ejecutor.addresses[0][1]}"
    finally:
        await ejecutor.cleanup()


@contextmanager
def sirviendo_en_hilo(crear: Callable[[], web.Application], puerto: int = 0) -> Iterator[str]:
    """Como `sirviendo`, en un hilo con su propio event loop, para probar desde código síncrono."""
    listo: list[str] = []
    arrancado, parar = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def vivir() -> None:
        async with sirviendo(crear(), puerto) as url:
            listo.append(url)
            arrancado.set()
            await parar.wait()

    def correr(vida: Coroutine[Any, Any, None]) -> None:
        try:
            loop.run_until_complete(vida)
        finally:
            arrancado.set()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    hilo = threading.Thread(target=correr, args=(vivir(),))
    hilo.start()
    try:
        assert arrancado.wait(10)
        assert listo, "el servidor no arrancó"
        yield listo[0]
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(parar.set)
        hilo.join(10)


async def hasta(condicion: Callable[[], T], plazo_s: float = 5.0) -> T:
    """Espera a que la condición se cumpla y da su valor."""
    limite = time.monotonic() + plazo_s
    while not (valor := condicion()):
        assert time.monotonic() < limite, "la condición no se cumplió a tiempo"
        await asyncio.sleep(0.01)
    return valor

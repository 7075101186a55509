"""`bootstrap`: de módulos y una base de datos a un bus listo, o un error que dice qué falta."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Engine, MetaData
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from seedwork.aplicacion.bus import AlFallarEvento, Bus
from seedwork.aplicacion.completitud import exigir_completo
from seedwork.aplicacion.comportamientos import Comportamiento
from seedwork.aplicacion.diferidas import EjecucionesDiferidas
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.mensajes import Despachador, Inbox, Reloj
from seedwork.aplicacion.modulo import Handler, Modulo
from seedwork.aplicacion.tablas import con_tablas
from seedwork.aplicacion.transaccion import Transaccion
from seedwork.dominio.eventos import ahora
from seedwork.infraestructura.base_datos import crear_motor, preparar_motor
from seedwork.infraestructura.brokers import conectar
from seedwork.infraestructura.comportamientos import reintentar_conflictos
from seedwork.infraestructura.configuracion import leer_entorno
from seedwork.infraestructura.dependencias import Dependencias, reunir
from seedwork.infraestructura.errores_de_eventos import segun_entorno
from seedwork.infraestructura.inbox import InboxSQLAlchemy
from seedwork.infraestructura.inquilinos import Actual, Estructura, Inquilinos
from seedwork.infraestructura.migraciones import SEEDWORK, Migraciones
from seedwork.infraestructura.outbox import AvisoOutbox, DespachadorOutbox, Servicio
from seedwork.infraestructura.recursos import RAICES, Recursos, SinRecursos
from seedwork.infraestructura.recursos import SinBaseDeDatos as SinBaseDeDatos
from seedwork.infraestructura.sagas.definiciones import DefinicionesSagas
from seedwork.infraestructura.sagas.modulo import modulo_sagas
from seedwork.infraestructura.tareas_celery import ColaCelery, EjecucionesCelery
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy
from seedwork.infraestructura.vigia import Campana

SESION = sessionmaker(autoflush=False, expire_on_commit=False)


class BaseInservible(ErrorDeArranque):
    """La base de datos que se pidió no se puede abrir o no es una base."""


class RelojSistema:
    """El reloj de la máquina."""

    def ahora(self) -> Any:
        return ahora()


class Sistema(Bus):
    """Un bus con su base de datos, su outbox y sus puertos: lo que `bootstrap` devuelve."""

    def __init__(
        self,
        modulos: Iterable[Modulo],
        *,
        inquilinos: Inquilinos | None,
        servicio: str,
        broker: str | None,
        puertos: Mapping[Any, Any],
        cola: ColaCelery,
        recursos: Callable[[Dependencias], Recursos | SinRecursos],
        raices: Iterable[Any],
        comportamientos: Sequence[Comportamiento],
        al_fallar_evento: AlFallarEvento | None,
    ) -> None:
        self.inquilinos = inquilinos
        self.motor: Engine | None = None if inquilinos is None else inquilinos.comun
        self.servicio = servicio
        self.url_broker = broker
        self.cola = cola
        self.aviso = AvisoOutbox()
        modulos = tuple(modulos)
        self.sagas = DefinicionesSagas(modulos)
        if self.sagas and inquilinos is None:
            raise ErrorDeArranque("Las sagas se guardan entre un paso y otro: dé `base_datos` a bootstrap")
        if self.sagas:
            modulos = (*modulos, modulo_sagas(self.sagas))
        propios: dict[Any, Any] = {
            Reloj: RelojSistema(),
            Servicio: Servicio(servicio),
            AvisoOutbox: self.aviso,
            ColaCelery: cola,
        }
        if inquilinos is not None:
            propios |= {
                Despachador: DespachadorOutbox,
                DespachadorOutbox: DespachadorOutbox,
                Inbox: InboxSQLAlchemy,
                EjecucionesDiferidas: EjecucionesCelery,
            }
        self.dependencias = Dependencias(reunir(modulos, propios, puertos), por_mensaje=raices)
        super().__init__(
            modulos,
            self.dependencias,
            recursos(self.dependencias),
            intentos=reintentar_conflictos(),
            comportamientos=comportamientos,
            al_fallar_evento=al_fallar_evento,
        )
        cola.atiende(self.comandos)
        self.sagas.despacha(self.comandos)
        if self.sagas and self.motor is not None:
            self.sagas.exigir_en_curso(self.motor)
        postgres = self.motor is not None and self.motor.dialect.name == "postgresql"
        self._campana = Campana(self.motor) if self.motor is not None and postgres else None
        if self._campana is not None:
            self.aviso.escuchar(self._campana.tocar)

    def en_otro_motor(self, cambio: Callable[[Engine], Engine]) -> Callable[[], Transaccion]:
        """Como `transaccion`, en el motor que `cambio` dé por el que le toque."""
        if not isinstance(self._recursos, Recursos):
            raise SinBaseDeDatos("Este sistema no tiene transacciones: dé `base_datos` a bootstrap")
        return partial(Transaccion, self._recursos.sobre(cambio), self._eventos)

    def cerrar(self) -> None:
        """Termina lo que corre y suelta la base."""
        super().cerrar()
        self.dependencias.cerrar()
        if self._campana is not None:
            self._campana.cerrar()
        if self.motor is not None:
            self.motor.dispose()


def bootstrap(
    modulos: Iterable[Modulo] = (),
    *,
    base_datos: str | None = None,
    broker: str | None = None,
    servicio: str = "seedwork",
    comandos: Mapping[type, Handler] | None = None,
    queries: Mapping[type, Handler] | None = None,
    eventos: Mapping[type, Sequence[Handler]] | None = None,
    puertos: Mapping[Any, Any] | None = None,
    uow: Callable[..., UnidadTrabajoSQLAlchemy] = UnidadTrabajoSQLAlchemy,
    fabrica_sesion: Callable[..., Session] = SESION,
    fabrica_motor: Callable[[str], Engine] = crear_motor,
    base: type[DeclarativeBase] | MetaData | None = None,
    usuario: Actual = None,
    schema: Actual = None,
    crear_schema: bool = False,
    solo_lectura: bool = False,
    subir_errores_de_eventos: bool = False,
    permitir_ejecuciones_asincronas: bool = True,
    comportamientos: Sequence[Comportamiento] = (),
) -> Sistema:
    """Arma el bus: comprueba módulos y URL del broker, abre la base, la migra y compila cada handler.

    Sin `base_datos` no hay transacciones, outbox ni inbox. `comandos`, `queries`, `eventos` y `puertos` se suman a los
    de los módulos, y en lo que coincidan los reemplazan.

    De la base: `fabrica_motor(url)` da el motor y `fabrica_sesion(bind=motor)` cada sesión; `uow` es la clase de la
    unidad de trabajo; las tablas de `base` que falten se crean. `usuario` es en nombre de quién se escribe. `schema`,
    en PostgreSQL, es dónde está todo; si no existe, `crear_schema` lo crea. Los dos pueden ser una función sin
    argumentos, que se llama al empezar cada transacción: con `schema`, cada inquilino tiene el suyo. Con `solo_lectura`
    no escribe nadie, y la base ha de estar ya migrada.

    `subir_errores_de_eventos` lanza los errores de los handlers de `tras_confirmar`; si no, y salvo TEST_ENV=true, se
    registran, y con ENV_CONFIG alpha o production se envían a Sentry. `permitir_ejecuciones_asincronas` deja usar
    `ejecutar_despues`. `comportamientos` rodean cada comando y query.

    Lanza `ErrorDeArranque` (o una de sus clases) con una frase que nombra lo que está mal armado.
    """
    modulos = tuple(modulos)
    for modulo in modulos:
        exigir_completo(modulo)
    if broker is not None:
        conectar(broker)  # no abre nada: comprueba la URL antes de empezar
    if solo_lectura and crear_schema:
        raise ErrorDeArranque("`crear_schema` escribe, y se pidió `solo_lectura`")
    if base_datos is None and (fabrica_motor is not crear_motor or schema is not None):
        raise ErrorDeArranque("`fabrica_motor` y `schema` necesitan `base_datos`")
    propias = (m for modulo in modulos for m in modulo.migraciones if isinstance(m, Migraciones))
    estructura = Estructura(
        migraciones=(SEEDWORK, *propias),
        base=base if base is None or isinstance(base, MetaData) else base.metadata,
        crear_schema=crear_schema,
        solo_lectura=solo_lectura,
    )
    al_fallar_evento = segun_entorno(leer_entorno(), subir=subir_errores_de_eventos)
    motor = preparar_motor(fabrica_motor(base_datos)) if base_datos is not None else None
    try:
        inquilinos = Inquilinos(motor, schema, estructura) if motor is not None else None
        recursos: Callable[[Dependencias], Recursos | SinRecursos] = SinRecursos
        if inquilinos is not None:
            recursos = partial(
                Recursos,
                inquilinos,
                uow=uow,
                fabrica_sesion=fabrica_sesion,
                usuario=usuario,
                solo_lectura=solo_lectura,
            )
        return Sistema(
            con_tablas(modulos, comandos=comandos or {}, queries=queries or {}, eventos=eventos or {}),
            inquilinos=inquilinos,
            recursos=recursos,
            raices=() if inquilinos is None else (*RAICES, uow),
            servicio=servicio,
            broker=broker,
            puertos=puertos or {},
            cola=ColaCelery(servicio, permitida=permitir_ejecuciones_asincronas),
            comportamientos=comportamientos,
            al_fallar_evento=al_fallar_evento,
        )
    except BaseException as error:
        if motor is not None:
            motor.dispose()
        if isinstance(error, DBAPIError):
            # La URL ya se leyó bien; lo que sale de aquí es que no hay base, o que lo que hay no lo es.
            donde = make_url(base_datos or "").render_as_string(hide_password=True)
            raise BaseInservible(f"La base de datos {donde!r} no se puede usar: {error.orig}") from error
        raise

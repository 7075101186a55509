"""Lo que quien reparte tiene de su cola: qué está libre y qué en manos de quién. Sin entrada ni salida.

La cola la lee uno solo, así que todo lo entregado y sin acusar está aquí. Una clave está en manos de un miembro
mientras éste tenga algo suyo; lo demás de esa clave es para él o espera.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from aiormq.abc import DeliveredMessage

from seedwork.infraestructura.brokers import Entrega, Mensaje
from seedwork.infraestructura.brokers.rabbitmq import formato

PRESUPUESTO_BYTES = 64 * 1024 * 1024  # lo que llegue más allá se vacía, y habrá que volver a pedirlo
LOTE_BYTES = 4 * 1024 * 1024  # al pasarlos, un lote se da por lleno


@dataclass(slots=True, eq=False)
class Ficha:
    """Un mensaje entregado por RabbitMQ. `reinado` es la ventana en que está; None si la tiene otro proceso."""

    crudo: DeliveredMessage
    mensaje: Mensaje
    intentos: int
    sospechosa: bool = False
    reinado: object = None
    orden: int = 0
    dueno: str | None = None
    vacia: bool = False
    _huella: str | None = field(default=None)

    @property
    def huella(self) -> str:
        if self._huella is None:
            self._huella = formato.huella(self.crudo)
        return self._huella

    @property
    def bytes(self) -> int:
        return len(self.crudo.body)

    def vaciar(self) -> None:
        """Suelta el cuerpo; queda lo que hace falta para reconocerla y para no dar nada antes que ella."""
        self._huella = self.huella
        self.crudo = replace(self.crudo, body=b"")
        self.mensaje = Mensaje(topico=self.mensaje.topico, cuerpo=b"", clave=self.mensaje.clave)
        self.vacia = True

    def entrega(self) -> Entrega:
        return Entrega(self.mensaje, self.intentos, self.sospechosa, self)


class Ventana:
    """Las fichas que llegaron por un canal. Los miembros son textos; un reclamo es lo que uno ya tenía antes."""

    def __init__(self) -> None:
        self.libres: dict[int, Ficha] = {}
        self.bytes = 0
        self.faltan = False
        self._en_manos: dict[str, dict[Ficha, None]] = defaultdict(dict)
        self._claves: dict[str, tuple[str, int]] = {}
        self._reclamos: dict[str, list[tuple[str, str | None]]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self.libres) + sum(map(len, self._en_manos.values()))

    # --- llegar ------------------------------------------------------------------------------------------------

    def reclamar(self, miembro: str, tengo: Iterable[tuple[str, str | None]]) -> None:
        """Ese miembro tiene ya en sus manos esas huellas, con sus claves: cuando lleguen, son suyas."""
        for huella, clave in tengo:
            if clave is not None and self._claves.get(clave, (miembro,))[0] != miembro:
                continue  # la clave es de otro: lo suyo caducó
            self._reclamos[huella].append((miembro, clave))
            self._ocupar(clave, miembro)

    def llegar(self, ficha: Ficha, *, vuelta: bool) -> None:
        """Entra una ficha; `vuelta` si ya se había entregado."""
        if vuelta and self._reclamos and (reclamos := self._reclamos.get(ficha.huella)):
            miembro, _ = reclamos.pop(0)
            self._olvidar_si_vacio(ficha.huella)
            ficha.dueno = miembro
            ficha.vaciar()  # quien la tiene, la tiene entera
            self._en_manos[miembro][ficha] = None
            return
        if self.libres and self.bytes + ficha.bytes > PRESUPUESTO_BYTES:
            ficha.vaciar()
        self.libres[ficha.orden] = ficha
        self.bytes += ficha.bytes

    # --- repartir ----------------------------------------------------------------------------------------------

    def elegibles(self, miembro: str, maximo: int, excepto: Collection[str]) -> list[Ficha]:
        """Lo que le toca, en orden y hasta llenar un lote; puede acabar en una vacía, que hay que volver a pedir."""
        fichas: list[Ficha] = []
        tomados = 0
        for ficha in self.libres.values():
            clave = ficha.mensaje.clave
            if clave is not None and (clave in excepto or self._claves.get(clave, (miembro,))[0] != miembro):
                continue
            fichas.append(ficha)
            tomados += ficha.bytes
            if ficha.vacia or len(fichas) >= maximo or tomados >= LOTE_BYTES:
                break
        return fichas

    def tomar(self, miembro: str, maximo: int, excepto: Collection[str]) -> list[Ficha]:
        """Lo que le toque; si lo siguiente está vacío, no más, y `faltan`."""
        fichas = self.elegibles(miembro, maximo, excepto)
        if fichas and fichas[-1].vacia:
            fichas.pop()
            self.faltan = True
        suyas = self._en_manos[miembro]
        for ficha in fichas:
            self._ocupar(ficha.mensaje.clave, miembro)
            ficha.dueno = miembro
            del self.libres[ficha.orden]
            suyas[ficha] = None
        return fichas

    def buscar(self, miembro: str, huella: str) -> Ficha | None:
        """Una de las que tiene ese miembro con esa huella."""
        return next((ficha for ficha in self._en_manos[miembro] if ficha.huella == huella), None)

    def terminar(self, miembro: str, ficha: Ficha) -> bool:
        """Sale de la ventana; False si no estaba en manos de ese miembro."""
        if self._en_manos[miembro].pop(ficha, self) is self:
            return False
        self._desocupar(ficha.mensaje.clave)
        self.bytes -= ficha.bytes
        return True

    def reclamada(self, miembro: str, huella: str) -> bool:
        """Si la reclamó y aún no ha llegado."""
        return any(quien == miembro for quien, _ in self._reclamos.get(huella, ()))

    def quitar_reclamo(self, miembro: str, huella: str) -> bool:
        """Ya no la tiene; False si no constaba."""
        for reclamo in self._reclamos.get(huella, ()):
            if reclamo[0] == miembro:
                self._reclamos[huella].remove(reclamo)
                self._olvidar_si_vacio(huella)
                self._desocupar(reclamo[1])
                return True
        return False

    def devolver(self, miembro: str, fichas: Iterable[Ficha]) -> None:
        devueltas = [ficha for ficha in fichas if self._en_manos[miembro].pop(ficha, self) is None]
        for ficha in devueltas:
            self._desocupar(ficha.mensaje.clave)
            ficha.dueno = None
            self.libres[ficha.orden] = ficha
        if devueltas:
            self.libres = dict(sorted(self.libres.items()))

    def soltar(self, miembro: str) -> set[str]:
        """El miembro murió: lo que tenía queda libre y es sospechoso. Devuelve las huellas que aún no han llegado."""
        suyas = list(self._en_manos[miembro])
        for ficha in suyas:
            ficha.sospechosa = True
        self.devolver(miembro, suyas)
        self._en_manos.pop(miembro, None)
        difuntas = set()
        for huella, reclamos in list(self._reclamos.items()):
            for reclamo in [reclamo for reclamo in reclamos if reclamo[0] == miembro]:
                reclamos.remove(reclamo)
                self._desocupar(reclamo[1])
                difuntas.add(huella)
            self._olvidar_si_vacio(huella)
        return difuntas

    # --- mirar -------------------------------------------------------------------------------------------------

    def en_manos(self, menos: str | None = None) -> list[str]:
        """Las huellas de lo que tienen todos, o todos menos uno; también lo reclamado."""
        propias = [f.huella for miembro, fichas in self._en_manos.items() if miembro != menos for f in fichas]
        return propias + [h for h, reclamos in self._reclamos.items() for m, _ in reclamos if m != menos]

    def tenencias(self) -> dict[str, list[tuple[str, str | None]]]:
        """Lo que tiene cada uno, y lo que reclamó y no ha llegado: para reclamarlo en otra ventana."""
        suyas: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
        for miembro, fichas in self._en_manos.items():
            suyas[miembro] += [(ficha.huella, ficha.mensaje.clave) for ficha in fichas]
        for huella, reclamos in self._reclamos.items():
            for miembro, clave in reclamos:
                suyas[miembro].append((huella, clave))
        return suyas

    def sospechosas(self) -> set[str]:
        todas = [*self.libres.values(), *(ficha for fichas in self._en_manos.values() for ficha in fichas)]
        return {ficha.huella for ficha in todas if ficha.sospechosa}

    def _ocupar(self, clave: str | None, miembro: str) -> None:
        if clave is not None:
            self._claves[clave] = (miembro, self._claves.get(clave, (miembro, 0))[1] + 1)

    def _desocupar(self, clave: str | None) -> None:
        if clave is not None:
            miembro, cuantas = self._claves[clave]
            if cuantas > 1:
                self._claves[clave] = (miembro, cuantas - 1)
            else:
                del self._claves[clave]

    def _olvidar_si_vacio(self, huella: str) -> None:
        if huella in self._reclamos and not self._reclamos[huella]:
            del self._reclamos[huella]

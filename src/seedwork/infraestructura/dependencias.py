"""El registro de puertos, sobre svcs: por tipo, comprobado al arrancar, con dos vidas.

Lo que cuelga de la unidad de trabajo vive para un mensaje; lo demás se construye una vez y vive con el proceso.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import svcs

from seedwork.aplicacion.compilacion import Ambito
from seedwork.aplicacion.dominio import Dominio
from seedwork.aplicacion.firmas import ErrorDeArranque, dependencias, nombre_de


class PuertoSinProveedor(ErrorDeArranque):
    """Alguien pide un tipo que nadie provee."""


class PuertoRepetido(ErrorDeArranque):
    """Dos módulos proveen el mismo puerto."""


class Dependencias:
    """Los proveedores de cada puerto; implementa el `Puertos` que la compilación necesita."""

    def __init__(self, proveedores: Mapping[Any, Any], por_mensaje: Iterable[Any]) -> None:
        """`por_mensaje` son las raíces que cada transacción aporta ya hechas (la uow, su sesión, el `Ambito`)."""
        self._proveedores = dict(proveedores)
        self._por_mensaje = dict.fromkeys(por_mensaje, True)
        self._en_curso: list[Any] = []
        self.registro = svcs.Registry()
        self._registro_unicos = svcs.Registry()
        self._unicos = svcs.Container(self._registro_unicos)
        self._candado = threading.RLock()
        for raiz in self._por_mensaje:
            self.registro.register_factory(raiz, partial(_aportada, raiz), enter=False)
        for puerto in self._proveedores:
            self.exigir(puerto, nombre_de(puerto))

    def exigir(self, puerto: Any, quien: str) -> bool:
        if puerto in self._por_mensaje:
            return self._por_mensaje[puerto]
        if puerto in self._en_curso:
            ciclo = " -> ".join(nombre_de(p) for p in [*self._en_curso, puerto])
            raise ErrorDeArranque(f"Los puertos dependen unos de otros en círculo: {ciclo}")
        propio = inspect.isclass(puerto) and (nombre_de(puerto) == quien or issubclass(puerto, Dominio))
        proveedor = self._proveedores.get(puerto, puerto if propio else None)
        if proveedor is None:
            raise PuertoSinProveedor(f"{quien} pide {nombre_de(puerto)} y ningún módulo lo provee en `puertos`")
        self._en_curso.append(puerto)
        try:
            self._por_mensaje[puerto] = self._registrar(puerto, proveedor)
        finally:
            self._en_curso.pop()
        return self._por_mensaje[puerto]

    def del_proceso(self, puerto: Any) -> Any:
        with self._candado:
            return self._unicos.get(puerto)

    def contenedor(self, raices: Mapping[Any, Any]) -> svcs.Container:
        """Un contenedor para un mensaje, con lo que su transacción aporta; quien lo pide lo cierra."""
        contenedor = _DeMensaje(self.registro)
        # svcs no da un Container como dependencia de otro: de ahí el SimpleNamespace.
        contenedor.raices = {**raices, Ambito: SimpleNamespace(get=contenedor.get)}
        return contenedor

    def cerrar(self) -> None:
        self._unicos.close()
        self._registro_unicos.close()
        self.registro.close()

    def _registrar(self, puerto: Any, proveedor: Any) -> bool:
        if not (inspect.isclass(proveedor) or inspect.isroutine(proveedor)):
            self._registro_unicos.register_value(puerto, proveedor)
            self.registro.register_value(puerto, proveedor)
            return False
        if inspect.isclass(proveedor) and issubclass(proveedor, Dominio):
            return self._registrar_dominio(puerto, proveedor)
        tipos = dependencias(proveedor)
        quien = nombre_de(proveedor)
        exigidos = [self.exigir(tipo, quien) for tipo in tipos]  # todos, aunque baste el primero
        por_mensaje = any(exigidos)

        def construir(svcs_container: svcs.Container) -> Any:
            return proveedor(*[svcs_container.get(tipo) for tipo in tipos])

        if por_mensaje:
            self.registro.register_factory(puerto, construir)
        else:
            self._registro_unicos.register_factory(puerto, construir)
            # Lo que se abra al construirlo se cierra con el proceso, no con el mensaje que lo pidió primero.
            self.registro.register_factory(puerto, lambda: self.del_proceso(puerto), enter=False)
        return por_mensaje

    def _registrar_dominio(self, puerto: Any, dominio: type[Dominio]) -> bool:
        quien = nombre_de(dominio)
        exigidos = [self.exigir(tipo, quien) for par in dominio.agregados().values() for tipo in par]
        if any(exigidos):
            self.registro.register_factory(puerto, lambda svcs_container: dominio(svcs_container))
            return True
        unico = dominio(SimpleNamespace(get=self.del_proceso))
        self._registro_unicos.register_value(puerto, unico)
        self.registro.register_value(puerto, unico)
        return False


class _DeMensaje(svcs.Container):
    """Con las raíces en un diccionario: registrarlas en cada contenedor cuesta más que abrir la transacción."""

    raices: Mapping[Any, Any]


def _aportada(raiz: Any, svcs_container: _DeMensaje) -> Any:
    return svcs_container.raices[raiz]


def reunir(modulos: Iterable[Any], propios: Mapping[Any, Any], reemplazos: Mapping[Any, Any]) -> dict[Any, Any]:
    """Los proveedores de todos los módulos sobre los `propios`; `reemplazos` gana a cualquiera (en una prueba)."""
    reunidos: dict[Any, Any] = dict(propios)
    duenos: dict[Any, str] = {}
    for modulo in modulos:
        for puerto, proveedor in modulo.puertos.items():
            if puerto in duenos and reunidos[puerto] is not proveedor:
                raise PuertoRepetido(
                    f"{nombre_de(puerto)} tiene dos proveedores: en los módulos {duenos[puerto]} y {modulo.nombre}"
                )
            reunidos[puerto] = proveedor
            duenos[puerto] = modulo.nombre
    return reunidos | dict(reemplazos)

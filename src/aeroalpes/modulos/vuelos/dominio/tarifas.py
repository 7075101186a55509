"""Lo que cuesta un viaje."""

from __future__ import annotations

from aeroalpes.modulos.vuelos.dominio.objetos_valor import Itinerario, TipoPasajero

MONEDA = "USD"
"""ISO 4217: la moneda de todo monto."""
TARIFA_POR_LEG = 12_000
"""Centavos que paga un pasajero por leg."""


def monto_de(itinerarios: tuple[Itinerario, ...], pasajeros: tuple[TipoPasajero, ...]) -> int:
    """En centavos: cada pasajero paga cada leg, y el infante, que viaja en brazos, ninguno.

    Cuando no se dice quién viaja, viaja uno.
    """
    legs = sum(len(itinerario.legs) for itinerario in itinerarios)
    pagan = sum(tipo is not TipoPasajero.INFANTE for tipo in pasajeros) if pasajeros else 1
    return TARIFA_POR_LEG * legs * pagan

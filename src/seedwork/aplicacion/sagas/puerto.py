"""El puerto por el que un consumidor cuenta a las sagas lo que pasa."""

from __future__ import annotations

from typing import Protocol


class Sagas(Protocol):
    """Lo que mueve a las sagas, en la transacción en curso."""

    def recibir(self, evento: object, *, id_mensaje: str | None = None) -> None:
        """Cuenta `evento` a las sagas que lo escuchan; lo que éstas manden sale si la transacción se confirma.

        `id_mensaje` queda en su diario. Lo repetido, tardío o desordenado no estropea nada. Un evento que ninguna
        escucha es un `EventoSinSaga`; el de una saga que no existe se registra y se ignora.
        """
        ...

    def reanudar(self, saga: str, clave: str) -> None:
        """Vuelve a intentar la compensación que detuvo a una saga; `NoEncontrado`, o `SagaNoDetenida` si no lo está."""
        ...


class EventoSinSaga(Exception):
    """Se contó a las sagas un evento que ninguna escucha."""

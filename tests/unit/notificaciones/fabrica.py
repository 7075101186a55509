"""Avisos de ejemplo para las pruebas del correo."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from notificaciones.aviso import Aviso

ID_EVENTO = UUID("7f7324eb-a73c-4052-b470-0671faa2b51a")
ID_RESERVA = UUID("12c117e8-820a-4bde-b3bf-f1a6c30fb030")


def un_aviso(**cambios: Any) -> Aviso:
    return Aviso(
        **{
            "id_evento": ID_EVENTO,
            "tipo": "creada",
            "id_reserva": ID_RESERVA,
            "destinatario": "ana@clientes.example",
            "fecha": datetime(2022, 11, 22, 13, 10, tzinfo=UTC),
            **cambios,
        }
    )

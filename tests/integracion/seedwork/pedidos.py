"""El programa con que se presenta la biblioteca: sólo mensajes, de nada a un consumidor."""

from __future__ import annotations

import os

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.orm import Session

from seedwork import Evento, Mensajeria, Reintentos

mensajeria = Mensajeria(base_datos=os.environ["DATABASE_URL"], servicio="pedidos", puertos={})


class PedidoCreado(BaseModel):
    id: int
    total: float


@mensajeria.on_event("pedido.creado", "pago.*", use_case_name="facturar", reintentos=Reintentos(maximo=3, espera_s=10))
async def facturar(evento: PedidoCreado) -> list[dict[str, object]]:
    return [{"name": "factura.emitida", "payload": {"id": evento.id}}]


@mensajeria.message_handler(topic=["pedidos", "pagos"], max_retries=3, retry_delay=5)
def sincronizar(mensaje: PedidoCreado, db: Session) -> None:
    db.execute(text("CREATE TABLE IF NOT EXISTS pedidos (id INTEGER, total REAL)"))
    db.execute(text("INSERT INTO pedidos VALUES (:id, :total)"), mensaje.model_dump())


@mensajeria.consumer("servicio-pedidos", topics=["eventos-usuario"])
class AlUsuario:
    @mensajeria.on_event("user.created")
    async def dar_bienvenida(self, evento: Evento, db: Session) -> list[dict[str, object]]:
        return [{"name": "bienvenida", "payload": {**evento.data, "de": evento.source, "evento": evento.name}}]


if __name__ == "__main__":
    mensajeria.run()

"""El índice de cliente: quién atiende qué."""

from __future__ import annotations

from pathlib import Path

from aeroalpes.modulos.cliente.aplicacion.comandos.cambiar_cliente import CambiarCliente, cambiar_cliente
from aeroalpes.modulos.cliente.aplicacion.comandos.crear_cliente import CrearCliente, crear_cliente
from aeroalpes.modulos.cliente.aplicacion.comandos.eliminar_cliente import EliminarCliente, eliminar_cliente
from aeroalpes.modulos.cliente.aplicacion.puertos import Clientes
from aeroalpes.modulos.cliente.aplicacion.queries.obtener_cliente import ObtenerCliente, obtener_cliente
from aeroalpes.modulos.cliente.infraestructura import migraciones
from aeroalpes.modulos.cliente.infraestructura.repositorios import ClientesSQLAlchemy
from aeroalpes.modulos.cliente.infraestructura.schema.v1 import eventos
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.migraciones import Migraciones

CLIENTE = Modulo(
    nombre="cliente",
    paquete=__package__,
    comandos={CrearCliente: crear_cliente, CambiarCliente: cambiar_cliente, EliminarCliente: eliminar_cliente},
    queries={ObtenerCliente: obtener_cliente},
    puertos={Clientes: ClientesSQLAlchemy},
    publica={
        eventos.TOPICO: [eventos.ClienteCreado, eventos.ClienteCambiado, eventos.ClienteEliminado],
    },
    migraciones=[Migraciones("cliente", Path(migraciones.__file__).parent)],
)

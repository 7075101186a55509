"""Lo que genera `grpc_tools.protoc` a partir de `protos/vuelos.proto`, tal como sale.

`vuelos_pb2_grpc` hace `import vuelos_pb2`, un módulo de primer nivel que aquí no existe. Se le da el de
este paquete, y así hay uno solo y nadie edita lo generado.
"""

import sys

from pb2py import vuelos_pb2

sys.modules.setdefault("vuelos_pb2", vuelos_pb2)

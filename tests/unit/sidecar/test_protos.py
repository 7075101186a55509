"""Lo generado que se guarda en el repositorio es lo que sale de `protos/vuelos.proto`."""

import subprocess
import sys
from pathlib import Path

from pb2py import vuelos_pb2, vuelos_pb2_grpc

RAIZ = Path(__file__).parents[3]
SIDECAR = RAIZ / "src" / "sidecar"
MANDATO = ["-Iprotos", "--python_out={0}", "--pyi_out={0}", "--grpc_python_out={0}", "protos/vuelos.proto"]
GENERADOS = ["vuelos_pb2.py", "vuelos_pb2.pyi", "vuelos_pb2_grpc.py"]


def test_el_mandato_documentado_genera_lo_mismo_que_hay_guardado_y_se_importa(tmp_path: Path) -> None:
    argumentos = [parte.format(tmp_path) for parte in MANDATO]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *argumentos], cwd=SIDECAR, check=True, timeout=60)

    mostrar = "import vuelos_pb2_grpc, vuelos_pb2; print(vuelos_pb2.DESCRIPTOR.serialized_pb.hex())"
    recien = subprocess.run(
        [sys.executable, "-c", mostrar], cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True
    )

    assert sorted(ruta.name for ruta in tmp_path.iterdir() if ruta.is_file()) == sorted(GENERADOS)
    assert bytes.fromhex(recien.stdout.strip()) == vuelos_pb2.DESCRIPTOR.serialized_pb


def test_el_sidecar_lee_los_protos_de_la_raiz() -> None:
    enlace = SIDECAR / "protos"

    assert enlace.is_symlink()
    assert not enlace.readlink().is_absolute()
    assert enlace.resolve() == RAIZ / "protos"


def test_lo_generado_usa_un_solo_modulo_de_mensajes() -> None:
    assert vuelos_pb2_grpc.vuelos__pb2 is vuelos_pb2


def test_los_numeros_de_los_campos_son_los_del_contrato() -> None:
    numeros = {
        mensaje.name: {campo.name: campo.number for campo in mensaje.fields}
        for mensaje in vuelos_pb2.DESCRIPTOR.message_types_by_name.values()
    }

    assert numeros == {
        "Locacion": {"codigo": 1, "nombre": 2},
        "Leg": {"fecha_salida": 1, "fecha_llegada": 2, "destino": 3, "origen": 4},
        "Segmento": {"legs": 1},
        "Odo": {"segmentos": 1},
        "Itinerario": {"id": 1, "odos": 2},
        "Reserva": {
            "id": 1,
            "fecha_creacion": 2,
            "fecha_actualizacion": 3,
            "itinerarios": 4,
            "estado": 5,
            "id_cliente": 6,
        },
        "QueryReserva": {"id": 1},
        "RespuestaReserva": {"mensaje": 1, "reserva": 2},
    }

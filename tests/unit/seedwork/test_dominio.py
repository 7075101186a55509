"""El vocabulario del dominio: identidad, versiones, eventos, objetos valor y reglas."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from seedwork.dominio.entidades import AgregacionRaiz, Entidad
from seedwork.dominio.eventos import EventoDominio, ahora, nuevo_id
from seedwork.dominio.excepciones import ReglaIncumplida
from seedwork.dominio.objetos_valor import ObjetoValor
from seedwork.dominio.reglas import validar


@dataclass(eq=False, kw_only=True)
class Silla(Entidad):
    color: str = "rojo"


@dataclass(eq=False, kw_only=True)
class Mesa(AgregacionRaiz):
    patas: int = 4


@dataclass(frozen=True, kw_only=True)
class MesaPintada(EventoDominio):
    color: str


@dataclass(frozen=True)
class Color(ObjetoValor):
    nombre: str

    def __post_init__(self) -> None:
        if not self.nombre:
            raise ReglaIncumplida("Un color tiene nombre")


class TienePatas:
    mensaje = "Una mesa tiene patas"

    def __init__(self, patas: int) -> None:
        self.patas = patas

    def es_valida(self) -> bool:
        return self.patas > 0


def test_una_entidad_es_su_clase_y_su_id_y_no_sus_atributos() -> None:
    id = uuid4()
    assert Silla(id=id, color="rojo") == Silla(id=id, color="verde")
    assert len({Silla(id=id), Silla(id=id, color="verde")}) == 1
    assert Silla(id=id) != Silla(id=uuid4())
    assert Silla(id=id) != Mesa(id=id)


def test_un_agregado_nace_sin_version_ni_eventos() -> None:
    mesa = Mesa(id=uuid4())
    assert (mesa.version, mesa.tiene_eventos, mesa.extraer_eventos()) == (0, False, [])


def test_los_eventos_salen_una_vez_y_en_orden() -> None:
    mesa, otra = Mesa(id=uuid4()), Mesa(id=uuid4())
    eventos = [MesaPintada(color=color) for color in ("rojo", "verde")]
    for evento in eventos:
        mesa.registrar(evento)
    assert mesa.tiene_eventos
    assert mesa.extraer_eventos() == eventos
    assert not mesa.tiene_eventos
    assert mesa.extraer_eventos() == otra.extraer_eventos() == []


def test_un_evento_es_inmutable_y_tiene_id_y_fecha_propios() -> None:
    uno, otro = MesaPintada(color="rojo"), MesaPintada(color="rojo")
    assert uno.id != otro.id
    assert uno.fecha.tzinfo is UTC
    assert ahora() - uno.fecha < timedelta(minutes=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        uno.color = "verde"  # type: ignore[misc]


def test_los_ids_nuevos_son_uuid_version_7_y_siguen_al_reloj() -> None:
    ids = [nuevo_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {(id.version, id.variant) for id in ids} == {(7, UUID(int=0x8 << 60).variant)}
    milisegundos = [id.int >> 80 for id in ids]
    assert milisegundos == sorted(milisegundos)
    assert abs(milisegundos[-1] - ahora().timestamp() * 1000) < 60_000


def test_un_objeto_valor_es_sus_atributos_y_es_valido_desde_que_nace() -> None:
    assert Color("rojo") == Color("rojo") != Color("verde")
    assert len({Color("rojo"), Color("rojo")}) == 1
    with pytest.raises(ReglaIncumplida, match="Un color tiene nombre"):
        Color("")


def test_una_regla_incumplida_dice_su_frase_y_su_nombre() -> None:
    validar(TienePatas(4))
    with pytest.raises(ReglaIncumplida, match="Una mesa tiene patas") as error:
        validar(TienePatas(1), TienePatas(0), TienePatas(-1))
    assert error.value.regla == "TienePatas"
    assert ReglaIncumplida("x").regla == "ReglaIncumplida"


def test_el_dominio_no_arrastra_ni_la_base_ni_los_brokers() -> None:
    codigo = (
        "import sys, seedwork, seedwork.dominio.entidades, seedwork.dominio.reglas;"
        "print(sorted({'sqlalchemy', 'pydantic', 'apsw', 'svcs'} & set(sys.modules)))"
    )
    fuentes = str(Path(__file__).parents[3] / "src")
    salida = subprocess.run(
        [sys.executable, "-c", codigo],
        env={**os.environ, "PYTHONPATH": fuentes},
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=True,
    )
    assert salida.stdout.strip() == "[]"


def test_lo_que_anuncia_seedwork_existe() -> None:
    import seedwork

    for nombre in dir(seedwork):
        assert getattr(seedwork, nombre) is not None
    with pytest.raises(AttributeError, match="nada"):
        _ = seedwork.nada

"""La carpeta de correos: un archivo por evento, entero o ninguno."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import pytest
from tests.unit.notificaciones.fabrica import ID_EVENTO, un_aviso

import notificaciones
from notificaciones.buzon import Buzon
from notificaciones.cartero import CarteroNoDisponible, CorreoRechazado
from notificaciones.correo import componer

SRC = Path(notificaciones.__path__[0]).parent
RAIZ = Path(__file__).parents[2]


def archivos(carpeta: Path) -> list[str]:
    return sorted(ruta.name for ruta in carpeta.iterdir())


async def test_el_correo_queda_como_un_eml_valido_con_el_id_del_evento(tmp_path: Path) -> None:
    await Buzon(tmp_path / "buzon").enviar(componer(un_aviso(nombre="יעל כהן")))

    crudo = (tmp_path / "buzon" / f"{ID_EVENTO}.eml").read_bytes()
    leido = message_from_bytes(crudo, policy=policy.default)
    assert not leido.defects
    assert leido["Message-ID"] == f"<{ID_EVENTO}@aeroalpes.example>"
    assert leido["To"].addresses[0].display_name == "יעל כהן"
    assert crudo.isascii()
    assert crudo.count(b"\n") == crudo.count(b"\r\n")


async def test_un_correo_a_una_direccion_fuera_de_ascii_tambien_se_guarda(tmp_path: Path) -> None:
    await Buzon(tmp_path).enviar(componer(un_aviso(destinatario="ñandú@correo.example")))
    leido = message_from_bytes((tmp_path / f"{ID_EVENTO}.eml").read_bytes(), policy=policy.SMTPUTF8)
    assert "ñandú@correo.example" in str(leido["To"])


async def test_el_mismo_evento_dos_veces_es_un_archivo_con_los_mismos_bytes(tmp_path: Path) -> None:
    buzon, unico = Buzon(tmp_path), tmp_path / f"{ID_EVENTO}.eml"
    await buzon.enviar(componer(un_aviso(nombre="Ana")))
    primero, escrito_ns = unico.read_bytes(), unico.stat().st_mtime_ns
    await Buzon(tmp_path).enviar(componer(un_aviso(nombre="Ana")))

    assert archivos(tmp_path) == [unico.name]
    assert (unico.read_bytes(), unico.stat().st_mtime_ns) == (primero, escrito_ns)


async def test_el_mismo_evento_a_la_vez_por_varios_es_un_archivo(tmp_path: Path) -> None:
    buzones = [Buzon(tmp_path) for _ in range(20)]
    await asyncio.gather(*(buzon.enviar(componer(un_aviso())) for buzon in buzones))
    assert archivos(tmp_path) == [f"{ID_EVENTO}.eml"]
    assert (tmp_path / f"{ID_EVENTO}.eml").read_bytes() == componer(un_aviso()).as_bytes()


async def test_dos_eventos_de_una_reserva_son_dos_archivos(tmp_path: Path) -> None:
    buzon = Buzon(tmp_path)
    await buzon.enviar(componer(un_aviso()))
    await buzon.enviar(componer(un_aviso(id_evento=uuid4(), tipo="aprobada")))
    assert len(archivos(tmp_path)) == 2


def test_morir_antes_del_nombre_definitivo_no_deja_medio_correo_y_repetirlo_lo_entrega(tmp_path: Path) -> None:
    programa = textwrap.dedent("""
        import asyncio, sys, time
        from pathlib import Path
        from notificaciones import buzon
        from notificaciones.correo import componer
        from tests.unit.notificaciones.fabrica import un_aviso

        def detenerse(origen, destino):
            sys.stdout.write("a medias\\n")
            sys.stdout.flush()
            time.sleep(60)

        buzon.os.replace = detenerse
        asyncio.run(buzon.Buzon(Path(sys.argv[1])).enviar(componer(un_aviso())))
    """)
    entorno = {**os.environ, "PYTHONPATH": f"{SRC}{os.pathsep}{RAIZ}"}
    with subprocess.Popen(
        [sys.executable, "-c", programa, str(tmp_path)], env=entorno, stdout=subprocess.PIPE, text=True
    ) as proceso:
        assert proceso.stdout is not None
        assert proceso.stdout.readline() == "a medias\n"
        proceso.send_signal(signal.SIGKILL)

    [resto] = archivos(tmp_path)
    assert resto.endswith(".tmp")
    assert list(tmp_path.glob("*.eml")) == []

    asyncio.run(Buzon(tmp_path).enviar(componer(un_aviso())))
    assert archivos(tmp_path) == [resto, f"{ID_EVENTO}.eml"]

    hace_dos_horas = time.time() - 7200
    os.utime(tmp_path / resto, (hace_dos_horas, hace_dos_horas))
    Buzon(tmp_path)
    assert archivos(tmp_path) == [f"{ID_EVENTO}.eml"]


async def test_una_carpeta_borrada_en_marcha_se_vuelve_a_hacer(tmp_path: Path) -> None:
    buzon = Buzon(tmp_path / "buzon")
    (tmp_path / "buzon").rmdir()
    await buzon.enviar(componer(un_aviso()))
    assert archivos(tmp_path / "buzon") == [f"{ID_EVENTO}.eml"]


async def test_un_disco_que_no_admite_el_correo_se_reintenta_y_no_deja_restos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sin_espacio(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    buzon = Buzon(tmp_path)
    monkeypatch.setattr("notificaciones.buzon.os.fsync", sin_espacio)
    with pytest.raises(CarteroNoDisponible, match="No space left"):
        await buzon.enviar(componer(un_aviso()))
    assert archivos(tmp_path) == []


async def test_un_archivo_donde_iba_la_carpeta_se_reintenta(tmp_path: Path) -> None:
    buzon = Buzon(tmp_path / "buzon")
    (tmp_path / "buzon").rmdir()
    (tmp_path / "buzon").write_text("no soy una carpeta")
    with pytest.raises(CarteroNoDisponible):
        await buzon.enviar(componer(un_aviso()))


async def test_un_correo_sin_identidad_se_rechaza(tmp_path: Path) -> None:
    correo = componer(un_aviso())
    del correo["Message-ID"]
    with pytest.raises(CorreoRechazado, match="Message-ID"):
        await Buzon(tmp_path).enviar(correo)


@pytest.mark.parametrize("identidad", ["<../../fuera@x>", "</etc/x@y>", "<" + "a" * 400 + "@x>", "<.@.>"])
async def test_una_identidad_ajena_no_escribe_fuera_de_la_carpeta(tmp_path: Path, identidad: str) -> None:
    correo = EmailMessage()
    correo["From"], correo["To"], correo["Message-ID"] = "a@x.example", "b@x.example", identidad
    await Buzon(tmp_path / "buzon").enviar(correo)
    await Buzon(tmp_path / "buzon").enviar(correo)

    assert archivos(tmp_path) == ["buzon"]
    assert len(list((tmp_path / "buzon").glob("*.eml"))) == 1


@pytest.mark.parametrize(
    "cabeceras",
    [
        {"From": "a@x.example"},
        {"To": "a@x.example"},
        {"From": "a@x.example", "To": "b@x.example, c@x.example"},
        {"From": "a@x.example", "To": "b@x.example", "Bcc": "c@x.example"},
    ],
)
async def test_un_correo_sin_un_remitente_y_un_destinatario_exactos_se_rechaza(
    tmp_path: Path, cabeceras: dict[str, str]
) -> None:
    correo = EmailMessage()
    for nombre, valor in cabeceras.items():
        correo[nombre] = valor
    with pytest.raises(CorreoRechazado):
        await Buzon(tmp_path).enviar(correo)
    assert archivos(tmp_path) == []

"""Lo que se mira y se decide del propio servicio por HTTP: el mapa y las letras muertas."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integracion.aeroalpes.corredor import publicar
from tests.procesos import Aeroalpes, hasta

from seedwork.infraestructura.brokers import Mensaje

DESDE_OTRA_PAGINA = {"Origin": "https://otra.example"}


def test_el_mapa_nombra_a_quien_publica_y_a_quien_atiende_cada_topico(suite: Aeroalpes) -> None:
    contextos = {contexto["contexto"]: contexto for contexto in suite.api().http.get("/mapa").json()["contextos"]}
    pagos = contextos["pagos"]
    assert {"topico": "comandos-pago", "suscripcion": "aeroalpes-pagos-comandos"} in pagos["atiende"]
    assert [envio["topico"] for envio in pagos["publica"]] == ["eventos-pago", "comandos-pasarela"]
    assert contextos["precios_dinamicos"]["publica"] == []


@pytest.mark.capacidad("X05")
def test_una_letra_muerta_se_ve_se_reenvia_y_se_descarta_pero_no_desde_otra_pagina(suite: Aeroalpes) -> None:
    http = suite.api().http

    def letras() -> list[dict[str, Any]]:
        pagina: list[dict[str, Any]] = http.get("/letras-muertas/").json()["letras"]
        return pagina

    publicar(suite.datos, Mensaje(topico="comandos-pago", cuerpo=b"\xff\x00", clave="k", cabeceras={"id": "1"}))
    [letra] = hasta(letras, "muriera")
    ruta = f"/letras-muertas/{letra['id']}"
    assert (letra["suscripcion"], letra["topico"]) == ("aeroalpes-pagos-comandos", "comandos-pago")
    assert http.get(ruta).json()["cuerpo_base64"] == "/wA="

    assert http.post(f"{ruta}/reenviar", headers=DESDE_OTRA_PAGINA).status_code == 403
    assert http.delete(ruta, headers=DESDE_OTRA_PAGINA).status_code == 403
    assert [letra["id"] for letra in letras()] == [letra["id"]]

    assert http.post(f"{ruta}/reenviar").status_code == 204
    otra = hasta(lambda: [una for una in letras() if una["id"] != letra["id"]], "muriera otra vez")[0]
    assert http.delete(f"/letras-muertas/{otra['id']}").status_code == 204
    assert letras() == []

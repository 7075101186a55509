"""Un GDS simulado: vende lo que le piden salvo lo que toque el aeropuerto ZZZ, y no recuerda nada."""

from __future__ import annotations

from aeroalpes.modulos.gds.infraestructura.anticorrupcion.ajeno import Respuesta, Transaccion

SIN_PLAZAS = "ZZZ"


class HostSimulado:
    """Implementa `Host`; la misma referencia da siempre el mismo localizador."""

    async def transmitir(self, transaccion: Transaccion) -> Respuesta:
        if transaccion["TRX"] == "XX":
            return {"RC": "XK", "RLOC": "", "TXT": "CANCELLED"}
        if any(SIN_PLAZAS in (segmento["DPT"], segmento["ARV"]) for segmento in transaccion["SEG"]):
            return {"RC": "UC", "RLOC": "", "TXT": f"NO SEATS {SIN_PLAZAS}"}
        return {"RC": "HK", "RLOC": transaccion["XREF"][-6:], "TXT": "CONFIRMED"}

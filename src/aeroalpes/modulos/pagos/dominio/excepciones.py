"""Lo que un pago no puede dar por hecho."""

from __future__ import annotations

from seedwork.dominio.excepciones import ExcepcionDominio


class DevolucionIncompleta(ExcepcionDominio):
    """La pasarela dice haber devuelto menos de lo que cobró: hay que volver a pedírselo."""

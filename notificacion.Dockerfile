# El servicio de notificaciones; los esquemas que lee son de aeroalpes.
# docker build . -f notificacion.Dockerfile -t aeroalpes/notificacion
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONPATH=/app/src
WORKDIR /app
RUN useradd --uid 10001 --create-home aeroalpes && install --directory --owner=aeroalpes var

COPY suite-requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -r suite-requirements.txt
# Hasta aquí las tres imágenes de la suite son iguales, y comparten estas capas.

HEALTHCHECK --interval=5s --timeout=5s --start-period=180s CMD ["test", "-s", "/app/var/notificaciones.listo"]

COPY src/seedwork src/seedwork
COPY src/aeroalpes src/aeroalpes
COPY src/notificaciones src/notificaciones
RUN python -m compileall -q src
USER aeroalpes
CMD ["python", "src/notificaciones/main.py"]

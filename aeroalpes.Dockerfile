# El API y, con otra orden, el trabajador aparte (`python src/aeroalpes/main.py`).
# docker build . -f aeroalpes.Dockerfile -t aeroalpes/flask
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONPATH=/app/src
WORKDIR /app
RUN useradd --uid 10001 --create-home aeroalpes && install --directory --owner=aeroalpes var

COPY suite-requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -r suite-requirements.txt
# Hasta aquí las tres imágenes de la suite son iguales, y comparten estas capas.

# WEB_CONCURRENCY: cuántos procesos arranca gunicorn.
ENV WEB_CONCURRENCY=2
EXPOSE 5000
# Si vive, y no /readyz: sin broker el API sigue aceptando reservas, que esperan en el outbox.
HEALTHCHECK --interval=5s --timeout=5s --start-period=180s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000 && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]

COPY src/seedwork src/seedwork
COPY src/aeroalpes src/aeroalpes
RUN python -m compileall -q src
USER aeroalpes
# El latido de gunicorn va en memoria: con un disco lento daría por muerto a quien sólo espera.
CMD ["gunicorn", "--bind=0.0.0.0:5000", "--threads=8", "--graceful-timeout=7", "--worker-tmp-dir=/dev/shm", "aeroalpes.api:create_app()"]

# El sidecar gRPC, que no conoce nada más de la suite. Lleva también su cliente (`python src/sidecar/cliente.py`).
# docker build . -f adaptador.Dockerfile -t aeroalpes/adaptador
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1
WORKDIR /app
RUN useradd --uid 10001 --create-home aeroalpes

COPY sidecar-requirements.txt .
# El compilador de stubs es para quien desarrolla: aquí ya vienen hechos.
RUN pip install --no-cache-dir --disable-pip-version-check -r sidecar-requirements.txt \
    && pip uninstall --yes --quiet grpcio-tools setuptools

ENV SIDECAR_HOST=0.0.0.0
EXPOSE 50051
HEALTHCHECK --interval=5s --timeout=5s --start-period=180s CMD ["python", "src/sidecar/salud.py"]

COPY protos protos
COPY src/sidecar src/sidecar
RUN python -m compileall -q src
USER aeroalpes
CMD ["python", "src/sidecar/main.py"]

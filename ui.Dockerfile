# La página y su websocket; los esquemas que lee son de aeroalpes.
# docker build . -f ui.Dockerfile -t aeroalpes/ui
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONPATH=/app/src
WORKDIR /app
RUN useradd --uid 10001 --create-home aeroalpes && install --directory --owner=aeroalpes var

COPY suite-requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -r suite-requirements.txt
# Hasta aquí las tres imágenes de la suite son iguales, y comparten estas capas.

ENV UI_HOST=0.0.0.0
EXPOSE 5678
HEALTHCHECK --interval=5s --timeout=5s --start-period=180s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5678 && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]

COPY src/seedwork src/seedwork
COPY src/aeroalpes src/aeroalpes
COPY src/ui src/ui
RUN python -m compileall -q src
USER aeroalpes
CMD ["python", "src/ui/main.py"]

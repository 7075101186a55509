# Un solo sitio para lo que se hace a diario. Basta con Python >= 3.11, make y git: cada objetivo
# crea su entorno (.venv) si no está, y lo pone al día cuando cambian los requisitos.

VENV := .venv
PY := $(VENV)/bin/python
# Lo que pide correr la suite, y eso más las herramientas de desarrollo.
SUITE := $(VENV)/suite
SELLO := $(VENV)/sello
LANZADOR := src/arrancar.py
PYTHONS := python3.13 python3.12 python3.11 python3
INSTALAR := $(PY) -m pip install --quiet --disable-pip-version-check

# Un entorno roto (carpeta movida, intérprete desinstalado) se rehace aunque su sello siga ahí.
ROTO := $(shell $(PY) -c "" 2>/dev/null || echo rehacer)

.DEFAULT_GOAL := ayuda
.PHONY: ayuda run test test-todo servidores servidores-parar lint bench bench-vecinos capturas build instalar actualizar requisitos rehacer

ayuda: ## esta lista
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

run: $(SUITE) ## arranca la suite entera; Ctrl-C la detiene
	@exec $(PY) $(LANZADOR)

test: $(SELLO) ## todas las pruebas, con su cobertura
	$(PY) -m coverage run -m pytest
	$(PY) -m coverage report

# Los servidores de verdad se arrancan sin entorno: les basta un Python cualquiera.
SERVIDORES = @python=$$(for python in $(PY) $(PYTHONS); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; \
	done); exec "$${python:-python3}" -m tests.servidores

servidores: ## instala y arranca PostgreSQL, Redis, RabbitMQ, Kafka y Pulsar, y escribe sus URLs
	$(SERVIDORES) arrancar

servidores-parar: ## los para; sus datos quedan en var/servidores
	$(SERVIDORES) parar

# Con los cinco exigidos, una prueba a la que le falta su servidor falla en vez de saltarse.
test-todo: servidores $(SELLO) ## todas las pruebas, también las que piden servidores de verdad
	@set -a && . "$${SERVIDORES_DATOS:-$(CURDIR)/var/servidores}/urls.env" && \
		SERVIDORES_EXIGIDOS='postgres redis rabbitmq kafka pulsar' $(MAKE) --no-print-directory test

lint: $(SELLO) ## estilo, tipos, regla de dependencias y esquemas publicados
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	PYTHONPATH=src $(PY) $(VENV)/bin/lint-imports --no-logo
	PYTHONPATH=src $(PY) -m seedwork esquemas verificar aeroalpes

bench: $(SELLO) ## los bancos de rendimiento, con los servidores que haya en marcha
	PYTHONPATH=src:. $(PY) -m benchmarks $(BANCOS)

# Los vecinos no son dependencia de nada: van en otro entorno, con las mismas versiones de todo lo demás.
VECINOS := $(VENV)-vecinos

bench-vecinos: $(SELLO) ## los mismos, con los vecinos (FastStream...) medidos al lado
	$(PY) -m uv venv --quiet --allow-existing --python $(PY) $(VECINOS)
	$(PY) -m uv pip install --quiet --python $(VECINOS) -r requirements.txt -r benchmarks/vecinos.txt
	PYTHONPATH=src:. $(VECINOS)/bin/python -m benchmarks $(BANCOS)

capturas: $(SELLO) ## rehace las imágenes de la página que enseña el README (pide Chromium)
	PYTHONPATH=src:. $(PY) -m tests.e2e.capturas

build: $(SELLO) ## wheel y sdist de seedwork en dist/
	$(PY) -m build --outdir dist

# DESTINO es el Python del proyecto que usa seedwork: `make instalar DESTINO=../pedidos/.venv/bin/python`.
DESTINO := python3
RUEDA = dist/aeroalpes_seedwork-$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/seedwork/__init__.py)-py3-none-any.whl

instalar: build ## instala seedwork en el Python que diga DESTINO (por defecto, python3)
	$(PY) -m uv pip install --python "$(DESTINO)" "$(RUEDA)"

actualizar: build ## pone ahí la versión de este árbol en lugar de la que haya
	$(PY) -m uv pip install --python "$(DESTINO)" --reinstall-package aeroalpes-seedwork "$(RUEDA)"

# Los dos archivos de requisitos salen de pyproject.toml y no se editan a mano. Tras cambiar una
# dependencia: `make requisitos`, que conserva las versiones fijadas que aún valen; para subirlas
# todas: `make requisitos SUBIR=--upgrade`. El del sidecar lleva sólo lo suyo, con las mismas versiones.
SUBIR :=
COMPILAR = UV_CUSTOM_COMPILE_COMMAND="make requisitos" $(PY) -m uv pip compile --quiet --universal \
	--python-version 3.11 --annotation-style line $(SUBIR)

requisitos: $(SELLO) ## recompila los archivos de requisitos
	$(COMPILAR) --group suite --group sidecar --group desarrollo pyproject.toml -o requirements.txt
	$(COMPILAR) --group suite -c requirements.txt pyproject.toml -o suite-requirements.txt
	$(COMPILAR) --group sidecar -c requirements.txt -o sidecar-requirements.txt

$(SUITE): suite-requirements.txt sidecar-requirements.txt $(ROTO)
	@if ! $(PY) -m pip --version >/dev/null 2>&1; then \
		for python in $(PYTHONS) ""; do \
			[ -z "$$python" ] || ! "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
				>/dev/null 2>&1 || break; \
		done; \
		if [ -z "$$python" ]; then \
			echo "Hace falta Python 3.11 o posterior con su módulo venv (en Debian o Ubuntu: apt install python3-venv)." >&2; \
			exit 1; \
		fi; \
		echo "Creando el entorno en $(VENV) con $$python."; \
		"$$python" -m venv --clear $(VENV); \
	fi
	@echo "Instalando en $(VENV) lo que pide la suite; la primera vez puede tardar un minuto."
	@$(INSTALAR) -r suite-requirements.txt -r sidecar-requirements.txt
	@touch $@

$(SELLO): requirements.txt $(SUITE)
	@echo "Instalando en $(VENV) las herramientas de desarrollo; la primera vez puede tardar un minuto."
	@$(INSTALAR) -r requirements.txt
	@touch $@

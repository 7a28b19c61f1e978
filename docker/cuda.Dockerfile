# The server on NVIDIA GPUs. CUDA's libraries come as Python packages, so the base needs little more than what makes the
# container runtime hand in the driver. Not run on a GPU by the checks in this repository: docs/operations.md.
ARG BASE_IMAGE=nvidia/cuda:13.0.2-base-ubuntu24.04

FROM ${BASE_IMAGE} AS build
# Where pip looks. They stay in this stage: the final image and its history don't hold them.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The distribution's Python has to be the same one in both stages, which the base image sees to, not a version here.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates gcc libc6-dev python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/selfjudge
ENV PATH=/opt/selfjudge/bin:$PATH
COPY requirements/cuda.txt docker/ray.txt /build/requirements/
RUN pip install --no-cache-dir --no-deps --no-compile \
    --requirement /build/requirements/cuda.txt --requirement /build/requirements/ray.txt
# Triton's C file, by the SHA-256 of its source. It is linked against an empty libcuda: the real one is the driver's.
RUN mkdir /opt/selfjudge/prebuilt /stub \
    && gcc -shared -Wl,-soname,libcuda.so.1 -o /stub/libcuda.so.1 -x c /dev/null \
    && for source in /opt/selfjudge/lib/python3*/site-packages/*/backends/nvidia/driver.c; do \
        gcc -O3 -shared -fPIC -I"$(dirname "$source")/include" -I"$(python -c 'import sysconfig as s; print(s.get_path("include"))')" \
            -o "/opt/selfjudge/prebuilt/$(sha256sum "$source" | cut -d ' ' -f 1).so" "$source" -L/stub -Wl,--no-as-needed -l:libcuda.so.1 \
        || exit 1; \
    done
COPY . /build
# Bytecode is made now: where the file system is read-only, every start would compile all anew.
# Some packages carry templates that are no valid Python, so the exit status of compileall says nothing.
# The model is fetched and unpacked now: a container needs no network.
RUN cp /build/docker/cc /opt/selfjudge/bin/cc \
    && pip install --no-cache-dir --no-deps --no-build-isolation --no-compile /build \
    && PIP_NO_CACHE_DIR=1 SELFJUDGE_MODELS_DIR=/opt/selfjudge/models python -m selfjudge.shipped \
    && pip uninstall --quiet --yes hatchling ninja nvidia-cuda-nvcc pip \
    && (python -m compileall -q -j 0 /opt/selfjudge/lib >/dev/null || true)

FROM ${BASE_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates libnuma1 python3 tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin selfjudge \
    && install --directory --owner=10001 --group=10001 /var/cache/selfjudge
COPY --from=build /opt/selfjudge /opt/selfjudge
# All that is written goes to /tmp, the one place that must be writable. Without nvcc FlashInfer can't compile its
# sampler, so vLLM's own is used.
ENV PATH=/opt/selfjudge/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    SELFJUDGE_MODELS_DIR=/opt/selfjudge/models \
    CC=/opt/selfjudge/bin/cc VLLM_USE_FLASHINFER_SAMPLER=0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30m --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
# tini reaps what an engine leaves behind when it is killed. Options given to `docker run` are added to these.
ENTRYPOINT ["tini", "--", "selfjudge-serve", "--host", "0.0.0.0", "--port", "8000"]

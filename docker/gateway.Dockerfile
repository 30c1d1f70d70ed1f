# The gateway alone: no models, no ONNX Runtime and no TensorFlow, because inference is Triton's work.
FROM python:3.12.12-slim-bookworm AS build

RUN python -m venv /opt/cxr
WORKDIR /src
# README and LICENSE are part of the package's metadata. `export/` stays out: the image serves, it does not train.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY api api
COPY serving serving
# Base dependencies, without extras. Wheels only: the slim image has no compiler, so that a release without a
# wheel fails here, by name, instead of halfway through a build from source.
RUN /opt/cxr/bin/pip install --no-cache-dir --only-binary=:all: --constraint constraints.txt .


FROM python:3.12.12-slim-bookworm

LABEL org.opencontainers.image.title="CXR Explain gateway" \
      org.opencontainers.image.description="Reads a chest X-ray, says NORMAL or PNEUMONIA, and shows why" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/cxr /opt/cxr

# pip compiled the bytecode at build time; at run time the root filesystem may be read-only.
# Loopback, the safe default elsewhere, would be unreachable from outside the container.
ENV PATH=/opt/cxr/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CXR_HOST=0.0.0.0 \
    CXR_PORT=8080

# By number, so that Kubernetes can verify runAsNonRoot; the process needs no entry in /etc/passwd.
USER 10001:10001
EXPOSE 8080

# Liveness only: a gateway whose Triton is away is alive and answers 503. The slim image has no curl.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]

# Exec form: the gateway is process 1 and gets SIGTERM itself.
CMD ["python", "-m", "api"]

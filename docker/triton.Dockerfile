# Stock Triton with this release's models. One image for GPU and CPU: the models' instance groups name no device,
# so Triton takes a GPU when there is one. 24.10 is the release whose limits (IR version <= 10, opset <= 21) the
# models were written for.
FROM nvcr.io/nvidia/tritonserver:24.10-py3

LABEL org.opencontainers.image.title="CXR Explain model server" \
      org.opencontainers.image.description="NVIDIA Triton with the models of CXR Explain" \
      org.opencontainers.image.version="0.1.0"

# Baked in, not mounted: weights, thresholds and server are released, pulled and rolled back as one, and a node
# needs no shared volume. Owned by root: the server reads its models and cannot change them.
COPY model_repository /models

# The image's own user `triton-server`, by number, so that Kubernetes can verify runAsNonRoot.
USER 1000:1000
# HTTP, gRPC, Prometheus.
EXPOSE 8000 8001 8002

# Ready only when every model is loaded and warm. Warm-up on a CPU takes a while, hence the start period.
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8000/v2/health/ready"]

# The base image's entry point runs this. The response cache stays off, its default, because a hash collision would
# return another patient's answer: never add --cache-config. Model control `none` refuses load and unload requests.
CMD ["tritonserver", \
     "--model-repository=/models", \
     "--model-control-mode=none", \
     "--strict-readiness=true", \
     "--exit-on-error=true", \
     "--exit-timeout-secs=30", \
     "--http-port=8000", \
     "--grpc-port=8001", \
     "--allow-metrics=true", \
     "--metrics-port=8002"]

# Orthanc with the scripts that send radiographs to the gateway and store its answers.
FROM jodogne/orthanc-plugins:1.12.9

LABEL org.opencontainers.image.title="CXR Explain PACS" \
      org.opencontainers.image.description="Orthanc that has stable chest studies explained by the gateway" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later AND AGPL-3.0-or-later"

# Not the folder that the base image declares as a volume: changes to that one, such as its owner, may be dropped.
RUN install --directory --owner=10002 --group=10002 /var/lib/orthanc/cxr
COPY docker/orthanc /etc/orthanc/cxr

# Only DICOMweb of the many plug-ins in the base image.
ENV ORTHANC_PLUGINS=/usr/local/share/orthanc/plugins/libOrthancDicomWeb.so

# By number, so that Kubernetes can verify runAsNonRoot; the process needs no entry in /etc/passwd.
USER 10002:10002
WORKDIR /var/lib/orthanc/cxr
EXPOSE 4242 8042

# Whether it listens, not what it answers: it answers nobody while a script waits for the gateway.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8042"]

# For the base image's entry point, Orthanc itself, which is process 1 and gets SIGTERM.
CMD ["/etc/orthanc/cxr/orthanc.json"]

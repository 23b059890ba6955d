# `compress serve` without PyTorch: a set of adapters or a bundle, mounted at /set, on port 8080. Build from the root:
#   docker build --file docker/serve.Dockerfile --tag compress-serve .
#   docker run --rm --read-only --publish 127.0.0.1:8080:8080 --volume "$PWD/runs/adapters/set:/set:ro" compress-serve
# A mirror of the package index: --build-arg PIP_INDEX_URL=…

FROM python:3.11-slim AS build
ARG PIP_INDEX_URL
WORKDIR /src
COPY constraints.txt pyproject.toml README.md ./
COPY compress ./compress
RUN python -m venv /opt/compress \
 && /opt/compress/bin/python -m pip install --no-cache-dir --constraint constraints.txt '.[serve]' \
 && /opt/compress/bin/python -m pip uninstall --yes pip setuptools

FROM python:3.11-slim
LABEL org.opencontainers.image.title="compress serve" \
      org.opencontainers.image.licenses="Apache-2.0"
# The image's own installer goes too; the number of the user is fixed, for volumes and for `runAsNonRoot`.
RUN python -m pip uninstall --yes --root-user-action ignore setuptools wheel pip \
 && groupadd --gid 10001 compress \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin compress
COPY --from=build /opt/compress /opt/compress
ENV PATH="/opt/compress/bin:$PATH"
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# Not urllib: it would ask a proxy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8080, timeout=2); c.request('GET', '/v2/health/ready'); sys.exit(c.getresponse().status != 200)"]
# More arguments after the image's name keep the address: `docker run … compress-serve /set --threads 2`.
ENTRYPOINT ["compress", "serve", "--host", "0.0.0.0", "--port", "8080"]
CMD ["/set"]

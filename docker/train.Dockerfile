# The whole of `compress`: training, export, measuring, the demonstration data, serving. Build from the root:
#   docker build --file docker/train.Dockerfile --tag compress-train .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/project" compress-train run pipelines/adapters.yaml
# The package index's PyTorch is for GPUs and takes gigabytes; an index with one for the CPU alone:
#   --build-arg PIP_EXTRA_INDEX_URL=…

FROM python:3.11-slim AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
WORKDIR /src
COPY constraints.txt pyproject.toml README.md ./
COPY compress ./compress
RUN python -m venv /opt/compress \
 && /opt/compress/bin/python -m pip install --no-cache-dir --constraint constraints.txt '.[train,demo,serve,search]' \
 && /opt/compress/bin/python -m pip uninstall --yes pip

FROM python:3.11-slim
LABEL org.opencontainers.image.title="compress" \
      org.opencontainers.image.licenses="Apache-2.0"
# /project belongs to the image's user; another one (`--user`) mounts a folder there and writes caches to /tmp.
RUN groupadd --gid 10001 compress \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /project --shell /usr/sbin/nologin compress \
 && install --directory --owner compress --group compress /project
COPY --from=build /opt/compress /opt/compress
COPY --chown=10001:10001 pipelines /project/pipelines
# USER: torch asks for a name, and the number given to `--user` has none.
ENV PATH="/opt/compress/bin:$PATH" HOME=/tmp USER=compress
USER 10001:10001
WORKDIR /project
STOPSIGNAL SIGINT
HEALTHCHECK NONE
ENTRYPOINT ["compress"]
CMD ["--help"]

# One image for every service: `python -m services.<stage>`, or the command line `tallyman`.

FROM python:3.11-slim AS build
RUN python -m venv /opt/tallyman
ENV PATH=/opt/tallyman/bin:$PATH
WORKDIR /src
# The pinned packages first: this layer is built anew only when the lock changes.
COPY requirements-build.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements-build.lock
RUN pip install --no-cache-dir --require-hashes --no-build-isolation --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY shared shared
COPY services services
COPY tallyman tallyman
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
# /data belongs to the user, so that a volume mounted there does too.
RUN useradd --uid 10001 --home-dir /data --no-create-home tallyman \
    && install --directory --owner tallyman --group tallyman --mode 0700 /data
COPY --from=build /opt/tallyman /opt/tallyman
ENV PATH=/opt/tallyman/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TALLYMAN_DATA=/data
USER tallyman
WORKDIR /data
CMD ["tallyman", "--help"]

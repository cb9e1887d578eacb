# The Python worker. `cpu` has the draft engines; `gpu` adds PyTorch and the packages of the GPU engines.
FROM python:3.11.14-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/venv/bin:$PATH
WORKDIR /app

FROM base AS build
COPY workers/python-gpu/requirements.txt .
RUN python -m venv /opt/venv && pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

FROM base AS cpu
RUN apt-get update \
  && apt-get install -y --no-install-recommends espeak-ng \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 1000 --create-home spindle \
  && mkdir /models && chown spindle:spindle /models
COPY --from=build /opt/venv /opt/venv
COPY workers/python-gpu/spindle_worker spindle_worker
ENV SPINDLE_MODELS=/models
VOLUME /models
USER spindle
CMD ["python", "-m", "spindle_worker", "supervise"]

FROM build AS build-gpu
COPY infra/images/requirements-gpu.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt -r requirements-gpu.txt

FROM cpu AS gpu
COPY --from=build-gpu /opt/venv /opt/venv

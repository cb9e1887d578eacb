# The Python worker. `cpu` has the draft engines; `gpu` adds the packages of the GPU engines, each in an environment of its own.
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
COPY workers/python-gpu/engines engines
COPY workers/python-gpu/spindle_worker spindle_worker
ENV SPINDLE_MODELS=/models
VOLUME /models
USER spindle
CMD ["python", "-m", "spindle_worker", "supervise"]

FROM build AS build-gpu
COPY workers/python-gpu/engines engines
COPY workers/python-gpu/spindle_worker spindle_worker
ENV SPINDLE_ENGINE_CACHE=/opt/engines
RUN python -m spindle_worker engine install f5-tts && python -m spindle_worker engine install realesrgan \
  && python -m spindle_worker engine install kokoro && python -m spindle_worker engine install faster-whisper

FROM cpu AS gpu
ENV SPINDLE_ENGINE_CACHE=/opt/engines
COPY --from=build-gpu /opt/engines /opt/engines

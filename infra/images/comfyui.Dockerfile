# ComfyUI publishes no image. This one is its tagged source on PyTorch: `cpu`, or `gpu` with CUDA.
FROM python:3.11.14-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/venv/bin:$PATH

FROM base AS source
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git
RUN git clone --quiet --depth 1 --branch v0.3.64 https://github.com/comfyanonymous/ComfyUI.git /opt/comfyui \
  && rm -rf /opt/comfyui/.git
RUN python -m venv /opt/venv

FROM source AS build-cpu
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.8.0 torchvision==0.23.0 torchaudio==2.8.0 \
  && pip install --no-cache-dir -r /opt/comfyui/requirements.txt

FROM base AS cpu
RUN useradd --uid 1000 --create-home spindle && mkdir /data && chown spindle:spindle /data
COPY --from=build-cpu /opt/comfyui /opt/comfyui
COPY --from=build-cpu /opt/venv /opt/venv
WORKDIR /opt/comfyui
VOLUME /data
USER spindle
EXPOSE 8188
CMD ["python", "main.py", "--listen", "0.0.0.0", "--port", "8188", "--base-directory", "/data", "--cpu"]

FROM source AS build-gpu
RUN pip install --no-cache-dir torch==2.8.0 torchvision==0.23.0 torchaudio==2.8.0 \
  && pip install --no-cache-dir -r /opt/comfyui/requirements.txt

FROM base AS gpu
RUN useradd --uid 1000 --create-home spindle && mkdir /data && chown spindle:spindle /data
COPY --from=build-gpu /opt/comfyui /opt/comfyui
COPY --from=build-gpu /opt/venv /opt/venv
WORKDIR /opt/comfyui
VOLUME /data
USER spindle
EXPOSE 8188
CMD ["python", "main.py", "--listen", "0.0.0.0", "--port", "8188", "--base-directory", "/data"]

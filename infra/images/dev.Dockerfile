# Where developers work, and where code is generated: the tools that `npm run check` and `npm test` need, the source mounted.
FROM node:22.23.2-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates chromium espeak-ng git openssl procps python3 python3-venv redis-server \
  && rm -rf /var/lib/apt/lists/* \
  && python3 -m venv /opt/debugpy \
  && /opt/debugpy/bin/pip install --no-cache-dir --disable-pip-version-check debugpy==1.8.17
WORKDIR /workspace
USER node
CMD ["sleep", "infinity"]

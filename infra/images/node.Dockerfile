# The two Node programs: `comfy-bridge` and `runtime` (which serves the editor). Nothing here needs BuildKit.
FROM node:22.23.2-bookworm-slim AS base
ENV NODE_ENV=production NODE_OPTIONS=--disable-warning=ExperimentalWarning
WORKDIR /app

# The manifests alone, so that the packages are installed again only when they change.
FROM base AS manifests
RUN npm install --global --no-audit --no-fund --loglevel=error pnpm@10.34.9
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY schemas/package.json schemas/
COPY packages/graph-model/package.json packages/graph-model/
COPY packages/node-library/package.json packages/node-library/
COPY packages/task-bus/package.json packages/task-bus/
COPY apps/runtime/package.json apps/runtime/
COPY apps/editor/package.json apps/editor/
COPY workers/comfy-bridge/package.json workers/comfy-bridge/

# What runs. Monaco reaches browsers inside the editor's bundle; the server imports none of it. The bridge runs as TypeScript too
# (docs/decisions/0005) and finds tsx where the runtime has it.
FROM manifests AS modules
RUN pnpm install --prod --frozen-lockfile --ignore-scripts --reporter=append-only --loglevel=error \
      --filter "@spindle/runtime..." --filter "@spindle/comfy-bridge..." --filter "@spindle/editor..." \
  && rm -rf node_modules/.pnpm/monaco-editor@* apps/editor/node_modules/monaco-editor \
  && ln -s ../apps/runtime/node_modules/tsx node_modules/tsx

FROM base AS comfy-bridge
COPY --from=modules /app /app
COPY schemas schemas
COPY packages/task-bus packages/task-bus
COPY workers/comfy-bridge workers/comfy-bridge
COPY infra/images/bridge-health.ts workers/comfy-bridge/health.ts
USER node
CMD ["node", "--import", "tsx", "workers/comfy-bridge/src/main.ts"]

FROM manifests AS build
RUN NODE_ENV=development pnpm install --frozen-lockfile --reporter=append-only --loglevel=error
COPY tsconfig.json tsconfig.base.json ./
COPY schemas schemas
COPY packages packages
COPY apps apps
# Prisma's client needs no engine; its command line only believes that it does.
RUN cd apps/runtime && PRISMA_SCHEMA_ENGINE_BINARY=/bin/true ../../node_modules/.bin/prisma generate
RUN cd apps/editor && node_modules/.bin/remix vite:build

FROM base AS runtime
COPY --from=modules /app /app
COPY schemas schemas
COPY packages packages
COPY templates templates
COPY apps/runtime apps/runtime
# What `spindle models` reads.
COPY workers/python-gpu/engines workers/python-gpu/engines
COPY --from=build /app/apps/runtime/src/store/generated apps/runtime/src/store/generated
COPY --from=build /app/apps/editor/build apps/editor/build
# The first container that mounts a new volume decides whose it is.
RUN mkdir /data /models && chown node:node /data /models
ENV SPINDLE_HOME=/data
VOLUME /data
USER node
EXPOSE 3000
CMD ["node", "--disable-proto=delete", "--import", "tsx", "apps/runtime/src/main.ts"]

CREATE TABLE "graph" (
  "id" UUID PRIMARY KEY,
  "name" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "template" TEXT
);
CREATE TABLE "doc_update" (
  "graph_id" UUID NOT NULL REFERENCES "graph"("id") ON DELETE CASCADE ON UPDATE CASCADE,
  "seq" BIGSERIAL NOT NULL,
  "bytes" BYTEA NOT NULL,
  PRIMARY KEY ("graph_id", "seq")
);
CREATE TABLE "revision" (
  "id" UUID PRIMARY KEY,
  "hash" TEXT NOT NULL,
  "document" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX "revision_hash_key" ON "revision"("hash");
CREATE TABLE "run" (
  "id" UUID PRIMARY KEY,
  "number" SERIAL NOT NULL,
  "revision_id" UUID NOT NULL REFERENCES "revision"("id") ON DELETE RESTRICT ON UPDATE CASCADE,
  "graph_id" UUID REFERENCES "graph"("id") ON DELETE SET NULL ON UPDATE CASCADE,
  "title" TEXT NOT NULL,
  "template" TEXT,
  "state" TEXT NOT NULL,
  "inputs" JSONB NOT NULL,
  "outputs" JSONB,
  "error" JSONB,
  "last_seq" INTEGER NOT NULL DEFAULT 0,
  "owner" TEXT,
  "lease_until" TIMESTAMPTZ(3),
  "cancel_requested" BOOLEAN NOT NULL DEFAULT false,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "started_at" TIMESTAMPTZ(3),
  "finished_at" TIMESTAMPTZ(3)
);
CREATE INDEX "run_graph_id_created_at_idx" ON "run"("graph_id", "created_at");
CREATE INDEX "run_state_idx" ON "run"("state");
CREATE TABLE "node_run" (
  "id" UUID PRIMARY KEY,
  "run_id" UUID NOT NULL REFERENCES "run"("id") ON DELETE CASCADE ON UPDATE CASCADE,
  "node_id" TEXT NOT NULL,
  "path" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "attempt" INTEGER NOT NULL DEFAULT 0,
  "fence" INTEGER NOT NULL DEFAULT 0,
  "crashes" INTEGER NOT NULL DEFAULT 0,
  "plane" TEXT NOT NULL,
  "service" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "engine" TEXT NOT NULL,
  "draft" BOOLEAN NOT NULL,
  "timeout_seconds" INTEGER NOT NULL DEFAULT 0,
  "input" JSONB,
  "error" JSONB,
  "broken" BOOLEAN NOT NULL DEFAULT false,
  "lease_until" TIMESTAMPTZ(3),
  "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "started_at" TIMESTAMPTZ(3),
  "finished_at" TIMESTAMPTZ(3)
);
CREATE UNIQUE INDEX "node_run_run_id_path_key" ON "node_run"("run_id", "path");
CREATE INDEX "node_run_state_idx" ON "node_run"("state");
CREATE TABLE "node_result" (
  "node_run_id" UUID PRIMARY KEY REFERENCES "node_run"("id") ON DELETE CASCADE ON UPDATE CASCADE,
  "fence" INTEGER NOT NULL,
  "output" JSONB NOT NULL,
  "committed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE "run_event" (
  "run_id" UUID NOT NULL REFERENCES "run"("id") ON DELETE CASCADE ON UPDATE CASCADE,
  "seq" INTEGER NOT NULL,
  "type" TEXT NOT NULL,
  "node" TEXT,
  "path" TEXT,
  "attempt" INTEGER,
  "body" JSONB NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("run_id", "seq")
);
CREATE TABLE "outbox" (
  "id" BIGSERIAL PRIMARY KEY,
  "node_run_id" UUID NOT NULL,
  "fence" INTEGER NOT NULL,
  "available_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "sent_at" TIMESTAMPTZ(3)
);
CREATE UNIQUE INDEX "outbox_node_run_id_fence_key" ON "outbox"("node_run_id", "fence");
CREATE INDEX "outbox_sent_at_available_at_idx" ON "outbox"("sent_at", "available_at");
CREATE TABLE "artifact" (
  "id" UUID PRIMARY KEY,
  "key" TEXT NOT NULL,
  "mime" TEXT NOT NULL,
  "size" BIGINT NOT NULL,
  "sha256" TEXT NOT NULL,
  "name" TEXT,
  "width" INTEGER,
  "height" INTEGER,
  "duration" DOUBLE PRECISION,
  "node_run_id" UUID,
  "purpose" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX "artifact_sha256_idx" ON "artifact"("sha256");
CREATE INDEX "artifact_node_run_id_idx" ON "artifact"("node_run_id");

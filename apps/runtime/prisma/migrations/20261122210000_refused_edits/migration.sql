-- Edits that a document did not take, kept for whoever made them. What is under the client ids in "bases" is under another's, from the clock there on.
CREATE TABLE "doc_refused" (
  "id" BIGSERIAL PRIMARY KEY,
  "graph_id" UUID NOT NULL REFERENCES "graph" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  "author" TEXT NOT NULL,
  "bytes" BYTEA NOT NULL,
  "bases" JSONB NOT NULL,
  "reason" TEXT NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX "doc_refused_graph_id_author_idx" ON "doc_refused" ("graph_id", "author");

-- What the runtimes on this database sign with. It is no one's but theirs: no worker has it, and no back-up.
CREATE TABLE "server_secret" (
  "name" TEXT PRIMARY KEY,
  "bytes" BYTEA NOT NULL
);
-- Whose the client ids are under which a document was edited: of whoever used each first.
CREATE TABLE "doc_client" (
  "graph_id" UUID NOT NULL REFERENCES "graph" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  "client" BIGINT NOT NULL,
  "author" TEXT NOT NULL,
  PRIMARY KEY ("graph_id", "client")
);

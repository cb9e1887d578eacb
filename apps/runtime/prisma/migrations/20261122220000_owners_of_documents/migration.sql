-- The runtime that has a graph's document, where the others reach it, and how often the document was claimed.
ALTER TABLE "graph" ADD COLUMN "doc_owner" TEXT;
ALTER TABLE "graph" ADD COLUMN "doc_url" TEXT;
ALTER TABLE "graph" ADD COLUMN "doc_fence" BIGINT NOT NULL DEFAULT 0;

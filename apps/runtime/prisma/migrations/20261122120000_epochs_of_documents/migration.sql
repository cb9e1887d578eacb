-- Raised when a document is put back to an earlier state: edits of another epoch are not merged into it.
ALTER TABLE "graph" ADD COLUMN "epoch" BIGINT NOT NULL DEFAULT 1;

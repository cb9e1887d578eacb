-- What runs have frozen of capabilities, and of the workflows that are their engines, by content hash (docs/decisions/0061). A run that was
-- accepted before this has none, and asks the library.
CREATE TABLE "frozen_definition" (
  "hash" TEXT PRIMARY KEY,
  "body" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
ALTER TABLE "run" ADD COLUMN "definitions" JSONB;

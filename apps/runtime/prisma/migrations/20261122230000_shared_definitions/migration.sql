-- Versions of definitions that graphs have copies of. A version never changes.
CREATE TABLE "shared_definition" (
  "id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "label" TEXT NOT NULL,
  "description" TEXT NOT NULL,
  "document" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("id", "version")
);

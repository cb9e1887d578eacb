-- The releases that have run on this database, and which one each runtime is of (src/store/release.ts numbers them). A runtime of
-- 0.1.0 names none: it is the first.
CREATE TABLE "release" (
  "number" INTEGER PRIMARY KEY,
  "name" TEXT NOT NULL,
  "since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
ALTER TABLE "runtime" ADD COLUMN "release" INTEGER NOT NULL DEFAULT 1;

-- Which text of prisma/functions each function has.
CREATE TABLE "function" (
  "name" TEXT PRIMARY KEY,
  "checksum" TEXT NOT NULL
);

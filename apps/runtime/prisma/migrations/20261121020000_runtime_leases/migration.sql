-- A lease per runtime instead of one per run: renewing it locks no run, so it never waits for a change of one, nor deadlocks with it.
CREATE TABLE "runtime" (
  "id" TEXT NOT NULL,
  "lease_until" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "runtime_pkey" PRIMARY KEY ("id")
);
ALTER TABLE "run" DROP COLUMN "lease_until";
CREATE INDEX "run_owner_idx" ON "run" ("owner") WHERE "owner" IS NOT NULL AND "state" IN ('queued', 'running');

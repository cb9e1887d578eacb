-- What each worker and each bridge offered last (docs/decisions/0062): it stays when they go, and leaves the library by a person's act.
CREATE TABLE "worker_manifest" (
  "plane" TEXT NOT NULL,
  "worker" TEXT NOT NULL,
  "sha256" TEXT NOT NULL,
  "manifest" JSONB NOT NULL,
  "reported_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY ("plane", "worker")
);

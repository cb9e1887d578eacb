-- A node run that is to be cancelled, until it has ended: a request that its runtime does not live to carry out is not lost.
ALTER TABLE "node_run" ADD COLUMN "cancel_requested" BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX "node_run_cancel_requested_idx" ON "node_run" ("run_id") WHERE "cancel_requested" AND "finished_at" IS NULL;

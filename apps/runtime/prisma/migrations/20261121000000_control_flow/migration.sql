-- Frozen engines for node runs that come to be during the run (visits, elements, subgraphs); the run's own fence.
ALTER TABLE "run" ADD COLUMN "engines" JSONB NOT NULL DEFAULT '{}';
ALTER TABLE "run" ADD COLUMN "fence" INTEGER NOT NULL DEFAULT 0;
-- Waiting: for a person (state waiting), or at a breakpoint before or after the node.
ALTER TABLE "node_run" ADD COLUMN "held" TEXT;
ALTER TABLE "node_run" ADD COLUMN "passed" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "node_run" ADD COLUMN "due_at" TIMESTAMPTZ(3);
CREATE INDEX "node_run_due_at_idx" ON "node_run" ("due_at") WHERE "state" = 'waiting';

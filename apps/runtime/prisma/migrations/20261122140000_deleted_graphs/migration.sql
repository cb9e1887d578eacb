-- A deleted graph can be restored for 30 days.
ALTER TABLE "graph" ADD COLUMN "deleted_at" TIMESTAMPTZ(3);

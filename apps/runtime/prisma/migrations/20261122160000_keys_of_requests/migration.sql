-- The request that started the run, by the key that its sender gave it, and what it asked for: sent again, it starts nothing.
ALTER TABLE "run" ADD COLUMN "request_key" TEXT;
ALTER TABLE "run" ADD COLUMN "request_hash" TEXT;
CREATE UNIQUE INDEX "run_request_key_key" ON "run" ("request_key");

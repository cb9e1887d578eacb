-- How often a runtime that drove the run died.
ALTER TABLE "run" ADD COLUMN "deaths" INTEGER NOT NULL DEFAULT 0;

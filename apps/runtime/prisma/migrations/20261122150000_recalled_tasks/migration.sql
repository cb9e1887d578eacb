-- Tasks of cancelled node runs, each until Redis has been told that they are nobody's any more.
CREATE TABLE "recall" (
  "node_run_id" UUID NOT NULL,
  "fence" INTEGER NOT NULL,
  CONSTRAINT "recall_pkey" PRIMARY KEY ("node_run_id", "fence"),
  CONSTRAINT "recall_node_run_id_fkey" FOREIGN KEY ("node_run_id") REFERENCES "node_run"("id") ON DELETE CASCADE ON UPDATE CASCADE
);

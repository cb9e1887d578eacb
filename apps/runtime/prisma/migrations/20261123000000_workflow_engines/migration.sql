-- ComfyUI workflows that people offer as engines of capabilities (schemas/comfy/blueprint.schema.json), by the name of the engine.
CREATE TABLE "workflow_engine" (
  "name" TEXT PRIMARY KEY,
  "blueprint" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

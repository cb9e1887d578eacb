// Everything the API stands on, made once in main.ts.
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { Config } from "../config.ts";
import type { RunRecord } from "../record/record.ts";
import type { Database } from "../store/database.ts";
import type { LiveBoard } from "../tasks/live.ts";
import type { WorkerPlane } from "../tasks/worker-plane.ts";
import type { DefinitionService } from "./definition-service.ts";
import type { EngineService } from "./engine-service.ts";
import type { GraphService } from "./graph-service.ts";
import type { LibraryService } from "./library-service.ts";
import type { PeopleService } from "./people-service.ts";
import type { PlanService } from "./plan-service.ts";
import type { QueueService } from "./queue-service.ts";
import type { RunService } from "./run-service.ts";
import type { Stores } from "./stores.ts";
import type { SystemService } from "./system-service.ts";
import type { TemplateService } from "./template-service.ts";
import type { Waits } from "./waits.ts";

export interface Services {
  config: Config;
  db: Database;
  artifacts: Artifacts;
  record: RunRecord;
  live: LiveBoard;
  workers: WorkerPlane;
  library: LibraryService;
  engines: EngineService;
  graphs: GraphService;
  definitions: DefinitionService;
  queue: QueueService;
  runs: RunService;
  stores: Stores;
  system: SystemService;
  people: PeopleService;
  plans: PlanService;
  templates: TemplateService;
  waits: Waits;
}

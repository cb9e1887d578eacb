import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderStore } from "./folder-store.ts";
import { storeConformance } from "./store-conformance.ts";

const store = folderStore(mkdtempSync(join(tmpdir(), "spindle-store-")));
storeConformance("folder", async () => store);

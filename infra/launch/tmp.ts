import { buildDatabaseClient } from "./build.ts";
import { endLeftovers } from "./leftovers.ts";
import { HOME, sharedFolder } from "./paths.ts";
import { startStack } from "./stack.ts";

await buildDatabaseClient();
await endLeftovers();
const s = await startStack({ home: HOME, postgres: sharedFolder("postgres"), port: 3000 });
console.log("UP", s.url);

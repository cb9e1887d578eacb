import { startStack } from "./stack.ts"; import { HOME, sharedFolder } from "./paths.ts"; import { buildDatabaseClient } from "./build.ts"; import { endLeftovers } from "./leftovers.ts";
await buildDatabaseClient(); await endLeftovers();
const s = await startStack({ home: HOME, postgres: sharedFolder("postgres"), port: 3000 });
console.log("UP", s.url);

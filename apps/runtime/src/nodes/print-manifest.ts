// For `npm run gen`: the node plane's manifest without asking anything outside.
import { NodeRegistry } from "./registry.ts";

const manifest = await (await NodeRegistry.load()).manifest(undefined, new Date(0));
process.stdout.write(`${JSON.stringify(manifest, null, 2)}\n`);

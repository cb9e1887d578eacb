#!/usr/bin/env node
// The command line.
import { pathToFileURL } from "node:url";

try {
  const { bundledCommandLine } = await import("./bundle.mjs");
  const main = await bundledCommandLine();
  process.setSourceMapsEnabled(true);
  await import(pathToFileURL(main).href);
} catch (error) {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  process.stderr.write("spindle: the packages are not installed yet. Run: npm start\n");
  process.exit(1);
}

// Every package of the lock has to run on the oldest Node that `package.json` promises.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import semver from "semver";
import { ROOT } from "../launch/paths.ts";

/** Packages that come along but whose code never runs here, with the reason. */
const NEVER_RUN = new Map([["@prisma/streams-local", "only for the command `prisma dev`"]]);

/** The packages of a pnpm lock, as `name@version`, that do not run on `node`, each with what it needs. */
export function whyUnfitForNode(lock: string, node: string): string[] {
  const needs = [
    ...lock.matchAll(/^ {2}'?((?:@[^@'\n]+|[^@'\s]+)@[^@'\n:]+)'?:\n(?: {4}.*\n)*? {4}engines: \{.*?\bnode: ('[^']*'|[^,}]+)/gm),
  ];
  return needs.flatMap(([, name = "", range = ""]) => {
    const wanted = range.replaceAll("'", "").trim();
    const known = NEVER_RUN.has(name.slice(0, name.lastIndexOf("@")));
    return known || semver.satisfies(node, wanted) ? [] : [`${name} needs Node ${wanted}`];
  });
}

/** What does not run on the oldest Node that this product promises. */
export async function unfitPackages(): Promise<{ node: string; unfit: string[] }> {
  const { engines } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { engines: { node: string } };
  const node = String(semver.minVersion(engines.node));
  return { node, unfit: whyUnfitForNode(await readFile(join(ROOT, "pnpm-lock.yaml"), "utf8"), node) };
}

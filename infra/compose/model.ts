// The Compose files as Docker would see them, for the tests that run without Docker: includes, overlays, merge keys, interpolation.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../launch/paths.ts";

export interface ComposeService {
  image?: string;
  build?: { context: string; dockerfile: string; target?: string };
  command?: string[];
  entrypoint?: string[];
  user?: string;
  profiles?: string[];
  restart?: string;
  read_only?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  network_mode?: string;
  networks?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  tmpfs?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  deploy?: { resources: { limits?: { cpus: string; memory: string; pids: number } } };
}

export interface ComposeStack {
  services: Record<string, ComposeService>;
  networks: Record<string, { internal?: boolean } | null>;
  volumes: Record<string, unknown>;
}

type Value = unknown;
const isMap = (value: Value): value is Record<string, Value> => typeof value === "object" && value !== null && !Array.isArray(value);
/** Lists that a later file replaces. It adds to all other lists. */
const REPLACED = new Set(["command", "entrypoint", "test", "profiles"]);

function merge(first: Value, second: Value, key = ""): Value {
  if (isMap(first) && isMap(second)) {
    const merged: Record<string, Value> = { ...first };
    for (const [name, value] of Object.entries(second)) merged[name] = name in merged ? merge(merged[name], value, name) : value;
    return merged;
  }
  if (Array.isArray(first) && Array.isArray(second) && !REPLACED.has(key)) return [...new Set([...first, ...second])];
  return second;
}

/** @throws Error for a variable that is neither set nor has a default, as `docker compose` does for `:?` and warns otherwise */
export function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(?:\$|\{(\w+)(?:(:-|:\?)([^}]*))?\})/g, (whole, name?: string, operator?: string, word = "") => {
    if (whole === "$$") return "$";
    const value = env[name ?? ""];
    if (value) return value;
    if (operator === ":-") return word;
    throw new Error(`${whole} has no value`);
  });
}

function fill(value: Value, env: Readonly<Record<string, string>>): Value {
  if (typeof value === "string") return interpolate(value, env);
  if (Array.isArray(value)) return value.map((one) => fill(one, env));
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, fill(one, env)]));
  return value;
}

export const readYaml = (file: string): Value => parse(readFileSync(join(ROOT, file), "utf8"), { merge: true });

/** @param files as given to `docker compose -f`; a file that one of them includes is merged before it */
export function render(files: readonly string[], env: Readonly<Record<string, string>>): ComposeStack {
  let whole: Value = { services: {}, networks: {}, volumes: {} };
  for (const file of files) {
    const { include = [], ...own } = readYaml(file) as { include?: { path: string[] }[] };
    for (const { path } of include) for (const included of path) whole = merge(whole, readYaml(interpolate(included, env)));
    whole = merge(whole, own);
  }
  return fill(whole, env) as ComposeStack;
}

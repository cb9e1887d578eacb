// What the artifacts of a worker's result are, as their stored bytes say (DESIGN W6, A5).
import { OUTPUT_DEPTH, whyTooLarge } from "@spindle/graph-model";
import { type ArtifactRef, type TaskResult, validateArtifactRef } from "@spindle/schemas";
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { TaskError } from "./retry.ts";
import { objectKey, type TaskName } from "./task-name.ts";

/** DESIGN A5: bytes that were known already keep their first object. */
export async function dropDoubles(artifacts: Artifacts, objects: readonly StoredObject[]): Promise<void> {
  for (const { key, ref } of objects) {
    const kept = await artifacts.find(ref.artifact);
    if (kept && kept.key !== key) await artifacts.store.remove(key);
  }
}

/** Removes what a result that came too late has stored. */
export async function discard(artifacts: Artifacts, run: string, task: TaskName, result: TaskResult): Promise<void> {
  const known = new Set(await Promise.all((result.objects ?? []).map(async ({ ref }) => (await artifacts.find(ref.artifact))?.key)));
  for (const { key, ref } of result.objects ?? [])
    if (key === objectKey("output", run, task, ref.artifact) && !known.has(key)) await artifacts.store.remove(key);
}

interface StoredObject {
  key: string;
  ref: ArtifactRef;
}

/** An output whose references say what their bytes say, or why there is none. */
type Examined = { error: TaskError } | { output: Record<string, unknown>; artifacts: StoredObject[] };

/** Checks the output of a successful result, and every artifact that it names, as it will be committed. */
export async function examine(artifacts: Artifacts, run: string, task: TaskName, result: TaskResult): Promise<Examined> {
  const bad = (message: string) => ({ error: { class: "infra" as const, code: "task.bad_result", message } });
  const tooDeep = whyTooLarge(result.output ?? {}, { depth: OUTPUT_DEPTH });
  if (tooDeep) return bad(`The result is refused. ${tooDeep}`);
  const stored = new Map<string, ArtifactRef>();
  const objects: StoredObject[] = [];
  for (const { key, ref } of result.objects ?? []) {
    if (key !== objectKey("output", run, task, ref.artifact)) return bad(`The object ${key.slice(0, 100)} does not belong to this task.`);
    const found = await artifacts.examine(key, ref);
    if ("why" in found) return bad(`The result is refused: ${found.why}.`);
    stored.set(ref.artifact, found.ref);
    objects.push({ key, ref: found.ref });
  }
  for (const value of references(result.output ?? {})) {
    if (!stored.has(value.artifact) && !(await artifacts.find(value.artifact)))
      return bad(`The output names the artifact ${value.artifact}, which was not stored.`);
  }
  return { output: completed(result.output ?? {}, stored) as Record<string, unknown>, artifacts: objects };
}

/** The value with what is known of its artifacts added. What the worker said about an artifact stays. */
function completed(value: unknown, known: ReadonlyMap<string, ArtifactRef>): unknown {
  if (Array.isArray(value)) return value.map((element) => completed(element, known));
  if (value === null || typeof value !== "object") return value;
  if (validateArtifactRef(value)) return { ...known.get(value.artifact), ...value };
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, completed(part, known)]));
}

/** Every artifact that a value names, at any depth. */
function references(value: unknown): ArtifactRef[] {
  if (validateArtifactRef(value)) return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(references) : [];
}

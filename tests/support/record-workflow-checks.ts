// Records what a real ComfyUI's `validate_prompt` says of each workflow of templates/comfy with its inputs at their edges; workers/comfy-bridge/test/recordings/README.md
// says how the server is prepared.
// node --import tsx tests/support/record-workflow-checks.ts --url URL --models FOLDER --pack NAME=COMMIT ...
import { access, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../../infra/launch/paths.ts";
import { ComfyHttp } from "../../workers/comfy-bridge/src/comfy/http.ts";
import { blueprints, CHECKS, type CheckedServer, edgesOf, promptOf, recordedChecks, sha256Of } from "./workflow-edges.ts";

const { values } = parseArgs({
  options: { url: { type: "string" }, models: { type: "string" }, pack: { type: "string", multiple: true, default: [] } },
});
const { url, models } = values;
if (!url || !models) throw new Error("Name the ComfyUI and its models folder: --url http://127.0.0.1:8188 --models FOLDER");

/** `validate_prompt` compares names alone: an empty file is there. */
async function putEmpty(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await access(path).catch(() => writeFile(path, ""));
}
for (const { folder, file } of blueprints.flatMap((blueprint) => blueprint.models)) await putEmpty(join(models, folder, file));

const get = async (path: string) => (await fetch(`${url}${path}`)).json();
const stats = (await get("/system_stats")) as { system: { comfyui_version: string } };
const known = (await get("/object_info")) as Record<string, unknown>;
const server: CheckedServer = {
  comfyui: stats.system.comfyui_version,
  packs: Object.fromEntries(values.pack.map((pack) => pack.split("=", 2) as [string, string])),
  lacks: {},
  checks: [],
};
const comfy = new ComfyHttp(url);
for (const blueprint of blueprints) {
  const { name: workflow } = blueprint;
  const lacks = [...new Set(Object.values(blueprint.prompt).map((node) => node.class_type))].filter((type) => !Object.hasOwn(known, type));
  if (lacks.length > 0) {
    server.lacks[workflow] = lacks;
    continue;
  }
  for (const { title: given, values: inputs } of edgesOf(blueprint).filter(({ refused }) => !refused)) {
    const prompt = await promptOf(blueprint, inputs, comfy);
    const response = await fetch(`${url}/spindle/check`, { method: "POST", body: JSON.stringify({ prompt }) });
    if (!response.ok) throw new Error(`It has no check-pack: it answered ${response.status}.`);
    const { valid, outputs, errors } = (await response.json()) as Pick<CheckedServer["checks"][number], "valid" | "outputs" | "errors">;
    server.checks.push({ workflow, given, prompt: sha256Of(prompt), valid, outputs, errors });
    console.log([`${valid ? "valid  " : "refused"} ${workflow}: ${given}`, ...errors].join("\n          "));
  }
}
for (const [workflow, lacks] of Object.entries(server.lacks)) console.log(`lacks   ${workflow}: ${lacks.join(", ")}`);
const others = recordedChecks().filter(({ comfyui }) => comfyui !== server.comfyui);
await writeFile(join(ROOT, CHECKS), `${JSON.stringify([...others, server], null, 1)}\n`);

// `spindle comfy record --url URL`: has the recorded conversations again with a running ComfyUI, and says where it differs from what
// the tests play. Exit 1 if it does. With `--out FOLDER` it writes what it heard, as recordings. Conversations about the nodes of
// odd-pack are had with a server that has them.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import WebSocket from "ws";
import { readServers, type ServerAddress } from "../src/settings.ts";
import { readOddPack } from "./fake/object-info.ts";
import { type Conversation, type JsonObject, MODEL_FREE, ODD, readConversation } from "./fake/program.ts";

const PATIENCE_MS = 120_000;

type Entry = Conversation["entries"][number];
interface Heard {
  status: number;
  answer: JsonObject;
  said: { type: string; data: JsonObject }[];
  history: JsonObject | undefined;
  /** The conversation as a recording has it. */
  entries: Entry[];
}

type Server = Pick<ServerAddress, "url" | "authorization">;
const loginOf = ({ authorization }: Server): Record<string, string> => (authorization === undefined ? {} : { authorization });

async function converse(server: Server, { prompt, request }: Conversation): Promise<Heard> {
  const client = crypto.randomUUID();
  const socket = new WebSocket(`${server.url.replace(/^http/, "ws")}/ws?clientId=${client}`, { headers: loginOf(server) });
  const said: Heard["said"] = [];
  const entries: Entry[] = [];
  const begun = performance.now();
  const hear = (entry: Entry) => entries.push({ dir: "s>c", t: Math.round(performance.now() - begun) / 1000, ...entry });
  const over = new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    setTimeout(() => reject(new Error("ComfyUI did not end the prompt in time.")), PATIENCE_MS).unref();
    socket.on("message", (data, isBinary) => {
      if (isBinary) return void hear({ base64: (data as Buffer).toString("base64") });
      const message = JSON.parse(String(data)) as Heard["said"][number];
      said.push(message);
      hear({ json: message });
      if (message.type === "executing" && message.data.node === null) resolve();
    });
  });
  over.catch(() => {});
  await new Promise<void>((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const flags = { type: "feature_flags", data: { supports_preview_metadata: true } };
  entries.push({ dir: "c>s", json: flags });
  socket.send(JSON.stringify(flags));
  const written = (await logOf(server)).at(-1)?.t ?? "";
  const sent = { ...request, prompt, client_id: client, prompt_id: undefined };
  const response = await fetch(`${server.url}/prompt`, {
    method: "POST",
    headers: { "content-type": "application/json", ...loginOf(server) },
    body: JSON.stringify(sent),
  });
  const answer = (await response.json()) as JsonObject;
  entries.push({ http: "POST /prompt", request: sent, status: response.status, response: answer });
  if (response.status === 200) await over;
  const id = String(answer.prompt_id);
  const past =
    response.status === 200
      ? ((await (await fetch(`${server.url}/history/${id}`, { headers: loginOf(server) })).json()) as Record<string, JsonObject>)
      : undefined;
  const log = (await logOf(server)).filter(({ t }) => t > written);
  if (past) entries.push({ http: "GET /internal/logs/raw", status: 200, response: { entries: log } });
  if (past) entries.push({ http: `GET /history/${id}`, status: 200, response: past });
  socket.close();
  return { status: response.status, answer, said, history: past?.[id], entries };
}

/** What must be equal: neither ids, times nor names of files, nor the order between nodes that do not need each other. */
function essence({ status, answer, said, history }: Pick<Heard, "status" | "answer" | "said" | "history">) {
  const errors = (answer.node_errors ?? {}) as Record<string, { errors: { type: string }[] }>;
  const order = said
    .map((one) => one.type)
    .filter((type) => !["status", "progress_state", "progress", "feature_flags", "executing", "executed"].includes(type));
  const executed = said
    .filter((one) => one.type === "executed")
    .map(({ data }) => [data.node, Object.keys((data.output ?? {}) as object).sort()]);
  const executing = said.filter((one) => one.type === "executing").map(({ data }) => data.node);
  const messages = (((history?.status ?? {}) as JsonObject).messages ?? []) as [string, JsonObject][];
  return {
    status,
    error: ((answer.error ?? {}) as JsonObject).type ?? null,
    nodeErrors: Object.entries(errors).map(([id, one]) => [id, one.errors.map(({ type }) => type).sort()]),
    order,
    executed: executed.sort(),
    executing: [...executing].map(String).sort(),
    last: executing.at(-1) === null,
    history: {
      status: ((history?.status ?? {}) as JsonObject).status_str ?? null,
      messages: messages.map(([type]) => type),
      outputs: Object.keys((history?.outputs ?? {}) as object).sort(),
    },
  };
}

function recorded({ entries, answer }: Conversation): Parameters<typeof essence>[0] {
  const history = entries.find((entry) => entry.http?.startsWith("GET /history/"))?.response as Record<string, JsonObject> | undefined;
  return {
    status: answer.status,
    answer: answer.body,
    said: entries.flatMap((entry) => (entry.dir === "s>c" && entry.json ? [entry.json] : [])),
    history: history && Object.values(history)[0],
  };
}

const logOf = async (server: Server) =>
  ((await (await fetch(`${server.url}/internal/logs/raw`, { headers: loginOf(server) })).json()) as { entries: { t: string; m: string }[] })
    .entries;

/** What the server says of the nodes of odd-pack; nothing if it has none. */
async function readOdd(server: Server): Promise<JsonObject> {
  const info = (await (await fetch(`${server.url}/object_info`, { headers: loginOf(server) })).json()) as Record<
    string,
    { python_module?: string }
  >;
  return Object.fromEntries(Object.entries(info).filter(([, { python_module }]) => python_module === "custom_nodes.odd-pack"));
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { url: { type: "string" }, out: { type: "string" } } });
  if (!values.url) throw new Error("Name the ComfyUI: --url http://127.0.0.1:8188");
  const [server, ...others] = readServers(values.url);
  if (!server) throw new Error("--url names no server.");
  if (others.length > 0) throw new Error("--url names several servers. Name one of them.");
  const odd = await readOdd(server);
  const names = [...MODEL_FREE, ...(Object.keys(odd).length > 0 ? ODD : [])];
  let differ = 0;
  if (JSON.stringify(odd) !== JSON.stringify(Object.keys(odd).length > 0 ? readOddPack() : {})) {
    console.log("differs   what /object_info says of odd-pack");
    differ++;
  }
  if (values.out) await mkdir(values.out, { recursive: true });
  for (const name of names) {
    const conversation = readConversation(name);
    const heard = await converse(server, conversation);
    if (values.out) await writeFile(join(values.out, `${name}.json`), `${JSON.stringify(heard.entries, null, 1)}\n`);
    const [now, then] = [essence(heard), essence(recorded(conversation))];
    const parts = (Object.keys(now) as (keyof typeof now)[]).filter((part) => JSON.stringify(now[part]) !== JSON.stringify(then[part]));
    // A node that the server has in its cache by now is not executed again.
    const cached = heard.said.some((one) => one.type === "execution_cached" && (one.data.nodes as unknown[]).length > 0);
    const real = cached ? parts.filter((part) => part !== "executing") : parts;
    console.log(`${real.length === 0 ? "same     " : "differs  "} ${name}`);
    for (const part of real)
      console.log(`  ${part}: recorded ${JSON.stringify(then[part])}\n  ${" ".repeat(part.length)}  heard    ${JSON.stringify(now[part])}`);
    differ += real.length === 0 ? 0 : 1;
  }
  return differ === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(
    `spindle: ${(error as Error).message.replace(/^COMFY_URL/, "--url")}${(error as Error).cause ? ` (${String((error as Error).cause)})` : ""}`,
  );
  process.exitCode = 1;
}

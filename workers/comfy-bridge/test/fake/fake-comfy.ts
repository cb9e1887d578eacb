// A ComfyUI for tests: its HTTP and WebSocket API as recorded (recordings/) and as research says, with the faults it is known for.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";
import type { Faults } from "./faults.ts";
import { readOddPack, recordedObjectInfo, SYSTEM_STATS } from "./object-info.ts";
import { solidPng } from "./png.ts";
import { type Conversation, type FakeProgram, type JsonObject, type Prompt, replayConversation, type Submission } from "./program.ts";
import { demandLogin, missingNode, requestBody, uploadOf } from "./requests.ts";
import { execute, STUBS } from "./stub-nodes.ts";
import { Terminal } from "./terminal.ts";

/** What the fake reads of its own /object_info. */
interface NodeInfo {
  input?: { required?: Record<string, unknown[]>; optional?: Record<string, unknown[]> };
  output?: unknown[];
  output_node?: boolean;
}

interface Job extends Submission {
  client: string;
  program: FakeProgram;
  state: "pending" | "running" | "over";
  interrupt: boolean;
}

const MAX_FEATURES = { supports_preview_metadata: true, max_upload_size: 104857600 };

export class FakeComfy {
  private current: Faults = {};
  /** Every call, as `METHOD /path`. */
  readonly calls: string[] = [];
  readonly prompts: JsonObject[] = [];
  /** What is shown of the library; the real one's 377 nodes where not set. */
  objectInfo: string = recordedObjectInfo();
  program: FakeProgram;
  private readonly server: Server;
  private readonly listener: WebSocketServer;
  private readonly sockets = new Map<string, { socket: WebSocket; metadata: boolean }>();
  private readonly files = new Map<string, { bytes: Buffer; mime: string }>();
  private readonly inputs = new Map<string, Buffer>();
  private jobs: Job[] = [];
  private history = new Map<string, JsonObject>();
  private working: Promise<void> = Promise.resolve();
  private sent = 0;
  private readonly terminal = new Terminal();

  get faults(): Faults {
    return this.current;
  }

  set faults(faults: Faults) {
    this.current = faults;
    this.sent = 0;
    if (!faults.silent) for (const speak of this.unsaid.splice(0)) speak();
  }

  /** What waits for the end of a silence. */
  private readonly unsaid: (() => void)[] = [];

  private async untilHeard(): Promise<void> {
    while (this.faults.silent) await new Promise<void>((resolve) => this.unsaid.push(resolve));
  }

  private constructor() {
    this.program = execute(this.inputs);
    this.server = createServer(
      (request, response) => void this.answer(request, response).catch(() => response.writeHead(500).end("500 Internal Server Error")),
    );
    this.listener = new WebSocketServer({
      server: this.server,
      path: "/ws",
      verifyClient: (_, accept) => void this.untilHeard().then(() => this.letIn(accept)),
    });
    this.listener.on("connection", (socket, request) => this.connect(socket, request));
  }

  static async start(port = 0): Promise<FakeComfy> {
    const fake = new FakeComfy();
    await new Promise<void>((resolve) => fake.server.listen(port, "127.0.0.1", resolve));
    return fake;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get queue(): { running: number; pending: number } {
    const count = (state: Job["state"]) => this.jobs.filter((job) => job.state === state).length;
    return { running: count("running"), pending: count("pending") };
  }

  private get remaining(): number {
    return this.queue.running + this.queue.pending;
  }

  /** As a process that was killed and started again: queue and history are empty, sockets cut. */
  restart(): void {
    for (const job of this.jobs) job.interrupt = true;
    this.jobs = [];
    this.history = new Map();
    this.cut();
  }

  cut(): void {
    for (const socket of this.listener.clients) socket.terminate();
  }

  /** A file in the server's input folder. */
  put(name: string, width: number, height: number): void {
    this.inputs.set(name, solidPng(width, height, 0x445566));
  }

  /** As if a second socket with each one's client id had come and gone. */
  evict(): void {
    this.sockets.clear();
  }

  /** To every socket, as what belongs to a prompt without a client id. */
  shout(messages: readonly { type: string; data: JsonObject }[]): void {
    for (const socket of this.listener.clients) for (const message of messages) socket.send(JSON.stringify(message));
  }

  forgetFiles(): void {
    this.files.clear();
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private connect(socket: WebSocket, request: IncomingMessage): void {
    const client = new URL(request.url ?? "", "http://fake").searchParams.get("clientId") ?? "";
    const entry = { socket, metadata: false };
    this.sockets.set(client, entry);
    socket.on("error", () => {});
    // The first one's end takes the second one's place in the table away.
    socket.on("close", () => this.sockets.delete(client));
    const status = { exec_info: { queue_remaining: this.remaining } };
    socket.send(JSON.stringify({ type: "status", data: { status, sid: client } }));
    socket.once("message", (data) => {
      if (this.faults.old) return;
      const { type, data: flags } = JSON.parse(String(data)) as { type: string; data: JsonObject };
      entry.metadata = type === "feature_flags" && flags.supports_preview_metadata === true;
      socket.send(JSON.stringify({ type: "feature_flags", data: MAX_FEATURES }));
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const path = url.pathname.replace(/^\/api(?!\/jobs)/, "");
    const route = `${request.method} ${path}`;
    this.calls.push(route);
    const body = await requestBody(request);
    if (route === "POST /prompt") this.onSubmit?.();
    const { losesPrompts } = this.faults;
    await this.untilHeard();
    if (losesPrompts) return void response.destroy();
    if (this.faults.slow) await sleep(this.faults.slow);
    const json = (value: unknown, status = 200) =>
      response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
    if (this.isCounted("limited")) return void response.writeHead(429, { "retry-after": "0" }).end();
    if (this.faults.login) return demandLogin(this.faults, response);
    const known = this.answers.get(`${request.method} ${url.pathname}`);
    if (known) return void json(known.response ?? {}, known.status ?? 200);
    const parsed = () => JSON.parse(body.toString("utf8") || "{}") as JsonObject;
    if (route === "POST /prompt") return void this.submit(parsed(), json);
    if (route === "GET /object_info") return void response.writeHead(200, { "content-type": "application/json" }).end(this.objectInfo);
    if (route === "GET /prompt") return void json({ exec_info: { queue_remaining: this.remaining } });
    if (route === "GET /queue") return void json({ queue_running: this.tuples("running"), queue_pending: this.tuples("pending") });
    if (route === "GET /system_stats") return void json(SYSTEM_STATS);
    if (route === "POST /queue") {
      this.drop((parsed().delete ?? []) as string[]);
      return void response.end();
    }
    if (route === "POST /interrupt") {
      this.interrupt(String(parsed().prompt_id));
      return void response.end();
    }
    if (route === "GET /internal/logs/raw") return void json({ entries: this.terminal.entries, size: { cols: 80, rows: 24 } });
    if (route === "POST /free") return void response.end();
    if (route === "POST /upload/image") return void this.upload(request, body, json);
    if (route === "GET /view") return void this.view(url.searchParams, response);
    const past = /^GET \/history\/(.+)$/.exec(route)?.[1];
    if (past !== undefined) return void json(this.history.has(past) ? { [past]: this.history.get(past) } : {});
    response.writeHead(404).end();
  }

  private letIn(accept: (isLetIn: boolean, status?: number) => void): void {
    if (this.isCounted("limited")) accept(false, 429);
    else if (this.faults.login) accept(false, this.faults.login === "redirect" ? 302 : 401);
    else accept(true);
  }

  /** Whether it is one of so many more. */
  private isCounted(fault: "limited" | "deafTo"): boolean {
    const left = this.current[fault] ?? 0;
    if (left > 0) this.current = { ...this.current, [fault]: left - 1 };
    return left > 0;
  }

  private tuples(state: Job["state"]) {
    return this.jobs.filter((job) => job.state === state).map((job, index) => [index, job.id, job.prompt, {}, job.targets]);
  }

  private drop(ids: readonly string[]): void {
    this.jobs = this.jobs.filter((job) => job.state !== "pending" || !ids.includes(job.id));
  }

  private interrupt(id: string): void {
    if (this.isCounted("deafTo")) return;
    for (const job of this.jobs) if (job.state === "running" && job.id === id) job.interrupt = true;
  }

  private submit(given: JsonObject, json: (value: unknown, status?: number) => void): void {
    this.prompts.push(given);
    const { refuse, nodeErrors } = this.faults;
    if (refuse) {
      json(refuse.body, refuse.status);
      return;
    }
    const prompt = given.prompt as Prompt;
    const played = this.plays.shift();
    if (played && played.answer.status !== 200) {
      json(played.answer.body, played.answer.status);
      return;
    }
    const wrong = Object.entries(prompt).find(([, node]) => !(node.class_type in STUBS) && !this.offered.has(node.class_type));
    if (wrong && !this.played && !played) {
      json(missingNode(...wrong), 400);
      return;
    }
    const id = String((this.faults.ownIds ? undefined : given.prompt_id) ?? crypto.randomUUID());
    const job: Job = {
      id,
      prompt,
      client: String(given.client_id ?? ""),
      targets: (given.partial_execution_targets as string[] | undefined) ?? Object.keys(prompt),
      program: played ? replayConversation(played) : this.program,
      state: "pending",
      interrupt: false,
      interrupted: () => job.interrupt,
    };
    this.jobs.push(job);
    json({ prompt_id: id, number: this.prompts.length, node_errors: nodeErrors ?? played?.answer.body.node_errors ?? {} });
    this.working = this.working.then(() => this.work(job));
  }

  /** The nodes of ../odd-pack, too. */
  addOddPack(): void {
    this.objectInfo = JSON.stringify({ ...JSON.parse(this.objectInfo), ...readOddPack() });
  }

  /** Offers every node of a prompt, with the files it names; nodes without a stub give words. */
  offer(prompt: Prompt): void {
    const info = JSON.parse(this.objectInfo) as Record<string, NodeInfo>;
    for (const { class_type, inputs } of Object.values(prompt)) {
      this.offered.add(class_type);
      const made = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, typeof value === "string" ? [[value]] : ["*"]]));
      const known: NodeInfo = info[class_type] ?? {
        input: { optional: made as never },
        output: ["*", "*", "*", "*"],
        output_node: class_type === "VHS_VideoCombine",
      };
      info[class_type] = known;
      for (const [name, value] of Object.entries(inputs)) {
        const choices = (known.input?.required?.[name] ?? known.input?.optional?.[name])?.[0];
        if (Array.isArray(choices) && typeof value === "string" && !choices.includes(value)) choices.push(value);
      }
    }
    this.objectInfo = JSON.stringify(info);
  }
  private readonly offered = new Set<string>();

  /** Recorded answers that stand for its own, by call. */
  answers: ReadonlyMap<string, { status?: number; response?: JsonObject } | undefined> = new Map();
  /** Called when a prompt comes, before anything is done with it. */
  onSubmit: (() => void) | undefined;
  /** Called when a frame goes out. */
  onFrame: (() => void) | undefined;

  /** Conversations to play, one for each prompt that comes; answers as they were. */
  plays: Conversation[] = [];

  /** True while a recording is played: its nodes need not be known. */
  played = false;

  private async work(job: Job): Promise<void> {
    if (!this.jobs.includes(job)) return;
    job.state = "running";
    this.terminal.write("got prompt\n");
    const messages: [string, JsonObject][] = [];
    const outputs: Record<string, unknown> = {};
    for await (const step of job.program(job)) {
      await this.untilHeard();
      if (!this.jobs.includes(job)) return;
      if (this.faults.slow) await sleep(this.faults.slow);
      if ("wait" in step) await sleep(step.wait);
      else if ("written" in step) this.terminal.write(step.written);
      else if ("file" in step) this.keep(step.file, step.bytes, step.mime);
      else if ("frame" in step) this.frame(job, step.frame);
      else {
        const data = "prompt_id" in step.data || step.everyone ? step.data : { ...step.data, prompt_id: job.id };
        if (step.say === "executed") outputs[String(data.node)] = data.output;
        // What ComfyUI keeps it gives a time; a blocker's words it says and forgets.
        if (step.say.startsWith("execution_") && "timestamp" in data) messages.push([step.say, data]);
        if (step.say === "executing" && data.node === null) continue; // sent below, once the history is written
        this.say(job, step.say, data);
      }
      if (job.interrupt) break;
    }
    if (!this.jobs.includes(job)) return;
    if (job.interrupt) {
      const data = { prompt_id: job.id, node_id: Object.keys(job.prompt)[0], node_type: "", executed: [], timestamp: Date.now() };
      messages.push(["execution_interrupted", data]);
      this.say(job, "execution_interrupted", data);
    }
    await this.end(job, messages, outputs);
  }

  private async end(job: Job, messages: [string, JsonObject][], outputs: JsonObject): Promise<void> {
    const said = this.faults.liesAboutSuccess
      ? messages.filter(([type]) => type !== "execution_success" && type !== "execution_error")
      : messages;
    if (this.faults.liesAboutSuccess)
      this.say(job, "execution_error", {
        prompt_id: job.id,
        node_id: Object.keys(job.prompt)[0],
        node_type: "",
        executed: [],
        exception_message: "Dependency cycle detected",
        exception_type: "graph.DependencyCycleError",
        traceback: [],
      });
    const failed = said.some(([type]) => type === "execution_error" || type === "execution_interrupted");
    const entry = {
      prompt: [0, job.id, job.prompt, {}, job.targets],
      outputs,
      status: { status_str: failed ? "error" : "success", completed: !failed, messages: said },
      meta: {},
    };
    job.state = "over";
    if (this.faults.historyLag) void sleep(this.faults.historyLag).then(() => this.history.set(job.id, entry));
    else this.history.set(job.id, entry);
    this.say(job, "executing", { node: null, prompt_id: job.id });
    this.terminal.write("Prompt executed in 0.01 seconds\n");
  }

  private keep(file: string, bytes: Buffer, mime: string): void {
    this.files.set(file, { bytes, mime });
  }

  private say(job: Job, type: string, data: JsonObject): void {
    this.send(job, JSON.stringify({ type, data }));
  }

  private frame(job: Job, bytes: Buffer): void {
    const frame = Buffer.from(bytes);
    const placeholder = frame.indexOf("?".repeat(job.id.length));
    if (placeholder >= 0) frame.write(job.id, placeholder, "latin1");
    if (frame.readUInt32BE(0) === 4 && !this.sockets.get(job.client)?.metadata) return;
    this.onFrame?.();
    if (this.faults.unreadable) this.send(job, Buffer.alloc(9, 0xff));
    this.send(job, frame);
  }

  private send(job: Job, data: string | Buffer): void {
    const entry = this.sockets.get(job.client);
    if (!entry) return;
    entry.socket.send(data);
    this.sent++;
    if (this.sent !== this.faults.dropAfter) return;
    entry.socket.terminate();
  }

  private upload(request: IncomingMessage, body: Buffer, json: (value: unknown) => void): void {
    const { name, subfolder, bytes } = uploadOf(request, body);
    this.inputs.set(subfolder ? `${subfolder}/${name}` : name, bytes);
    json({ name, subfolder, type: "input" });
  }

  private view(query: URLSearchParams, response: ServerResponse): void {
    const file = this.files.get(`${query.get("type")}/${query.get("subfolder")}/${query.get("filename")}`);
    if (!file || this.faults.forgetsFiles) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": file.mime }).end(file.bytes);
  }
}

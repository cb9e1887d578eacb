// `spindle`. All but `run`, `backup`, `restore` and `graphs` need nothing but the packages.
import { Command } from "commander";
import { RELEASE } from "../store/release.ts";

// Each command loads its own modules, so that none waits for another's.
const offline = () => import("./offline.ts");

const collect = (value: string, all: string[]): string[] => [...all, value];
const program = new Command("spindle").description("Hybrid graphs on the command line").version(RELEASE).showHelpAfterError();

program
  .command("validate")
  .argument("<file>")
  .option("--json", "an array of issues on standard output")
  .description("say what is wrong with a graph; exit 1 if any issue is an error")
  .action((file: string, options: { json?: boolean }) => end(async () => (await offline()).validateFile(file, options.json === true)));
program
  .command("import")
  .argument("<file>", "JSON, or a picture, video or sound with a graph or a ComfyUI workflow inside")
  .description("read a graph or a ComfyUI workflow and print it as langgraph.v1; issues on standard error")
  .action((file: string) => end(async () => (await offline()).importGraph(file)));
program
  .command("export")
  .argument("<file>")
  .requiredOption(
    "--to <format>",
    "langgraph-json, langgraph (TypeScript that runs without Spindle), mermaid or comfyui (API format of a region)",
  )
  .option("--node <id>", "a node of the region, where there are several")
  .description("print a graph in another format; issues on standard error")
  .action((file: string, options: { to: string; node?: string }) =>
    end(async () => (await offline()).exportGraph(file, options.to, options.node)),
  );
program
  .command("capabilities")
  .option("--json")
  .description("list what the planes offer")
  .action((options: { json?: boolean }) => end(async () => (await offline()).listCapabilities(options.json === true)));
program
  .command("run")
  .argument("<graph>", "a graph's file, or the name of a template")
  .option("--input <name=value>", "an input; name=@file sends a file", collect, [])
  .option("--out <folder>", "write the results there")
  .option("--force", "run everything, whatever earlier runs have given")
  .option("--priority <which>", "high, normal or low: whose tasks go to workers first")
  .option("--dry", "say what would run, why, and how long it should take")
  .option("--json", "the run, or the plan, as JSON on standard output")
  .description("run a graph on a server that runs here, or start one for it")
  .action((graph: string, options: { input: string[]; out?: string; json?: boolean; force?: boolean; dry?: boolean }) =>
    end(async () => (await import("./run.ts")).run(graph, options)),
  );

program
  .command("logs")
  .argument("<run>", "a run's id")
  .option("--node <name>", "one node alone, by its id or its path")
  .option("--json", "a JSON object for each node run")
  .description("print what the node runs of a run wrote, try by try, and why those that failed did")
  .action((run: string, options: { node?: string; json?: boolean }) =>
    end(async () => (await import("./logs.ts")).printLogs(run, options)),
  );

program
  .command("comfy")
  .description("what has to do with a running ComfyUI")
  .command("record")
  .requiredOption("--url <url>", "where it is")
  .option("--out <folder>", "keep what was heard")
  .description("have the recorded conversations again, and say where this ComfyUI differs from what the tests play; exit 1 if it does")
  .action((options: { url: string; out?: string }) => end(async () => (await import("./record.ts")).recordComfyUI(options)));

const engines = program.command("engine").description("the GPU engines: what they need, and their packages");
for (const [name, description] of [
  ["list", "each engine, and what it lacks here"],
  ["install", "install an engine's packages into an environment of its own; says what else it needs"],
  ["check", "import the packages, compare the model files with their hashes, load the model"],
  ["remove", "remove an engine's packages; its model files stay"],
  ["report", "what to send after a trial on a GPU: the system, the packages, whether it loads"],
] as const)
  engines
    .command(name)
    .argument(name === "list" ? "[engine]" : "<engine>")
    .description(description)
    .action((engine?: string) => end(async () => (await import("./engine.ts")).engine(engine ? [name, engine] : [name])));

const models = program.command("models").description("the model files of the GPU engines and of the workflows in ComfyUI");
models
  .command("list")
  .argument("[name]", "of a template, for the engines of its nodes, or of an engine")
  .description("each engine's files with size and licence, and which are missing")
  .action((name?: string) => end(async () => (await import("./models.ts")).listModels(name)));
models
  .command("fetch")
  .argument("[name]", "an engine as in the list")
  .option("--for <template>", "for each capability of a template, the files of its first engine")
  .option("--accept-licence <id>", "a licence that forbids commercial use", collect, [])
  .description("fetch the missing files of an engine; goes on where it was interrupted")
  .action((name: string | undefined, options: { for?: string; acceptLicence: string[] }) =>
    end(async () => (await import("./models.ts")).fetchModels(name, options)),
  );
models
  .command("check")
  .argument("[name]", "an engine as in the list")
  .description("compare the files that are there with their hashes; exit 1 if one is another")
  .action((name?: string) => end(async () => (await import("./models.ts")).checkModels(name)));

const workers = program.command("workers").description("the workers of the server that runs here");
workers
  .command("list")
  .description("those that are there now, with their plane")
  .action(() => end(async () => (await import("./workers.ts")).listWorkers()));
workers
  .command("drain")
  .argument("[worker]", "one of the list; without it all of them")
  .description("take no more tasks, and end once what runs is done; whatever supervises a worker starts it again")
  .action((worker?: string) => end(async () => (await import("./workers.ts")).printDrained(worker)));
workers
  .command("forget")
  .argument("<worker>", "one of the list that does not answer any more")
  .description("take what it alone offered out of the library")
  .action((worker: string) => end(async () => (await import("./workers.ts")).forgetWorker(worker)));

const system = program
  .command("system")
  .description("what the server that runs here does: its stores, workers and devices")
  .option("--json", "all that the page System shows")
  .action((options: { json?: boolean }) => end(async () => (await import("./system.ts")).printSystem(options.json === true)));
for (const [act, description] of [
  ["pause", "let a device begin nothing new; what it does goes on"],
  ["resume", "let it begin what waits for it"],
] as const)
  system
    .command(act)
    .argument("<device>", "as in the list, or all")
    .description(description)
    .action((device: string) => end(async () => (await import("./system.ts")).steerDevice(act, device)));

program
  .command("backup")
  .argument("<folder>", "a folder that does not exist yet")
  .description("copy the database and the artifacts of the server that runs here, while runs go on; exit 1 if an artifact was damaged")
  .action((folder: string) => end(async () => (await import("./backup.ts")).backupCommand(folder)));
program
  .command("restore")
  .argument("<folder>", "what `spindle backup` made")
  .description("fill the empty database and store of the server that runs here from a back-up; its runs go on")
  .action((folder: string) => end(async () => (await import("./backup.ts")).restoreCommand(folder)));

program
  .command("graphs")
  .description("the graphs of the server that runs here")
  .command("repair")
  .argument("[graph]", "its id; without it, what is set aside is listed")
  .description("list stored edits that were set aside, or put back those of a graph that can be applied; exit 1 if some cannot")
  .action((graph?: string) => end(async () => (await import("./graphs.ts")).repairGraphs(graph)));

/** The exit code, once what was printed has been written. */
async function end(work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    process.stderr.write(`spindle: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

// Whoever reads the output may have enough of it, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
await program.parseAsync();

import { readAnyText } from "@spindle/graph-model";
import {
  validateAnswerRequest,
  validateClearCacheRequest,
  validateCreateGraphRequest,
  validateDefinitionRequest,
  validateDeviceRequest,
  validateDrainRequest,
  validateEngineRequest,
  validateForkRequest,
  validateIdRequest,
  validateImportGraphRequest,
  validateListGraphsRequest,
  validateListRunsRequest,
  validateNodeRunRequest,
  validateNodeRunsRequest,
  validateOfferEngineRequest,
  validatePriorityRequest,
  validateRenameGraphRequest,
  validateShareDefinitionRequest,
  validateStartRunRequest,
  validateStartTemplateRequest,
  validateTemplateRequest,
  validateWatchRunRequest,
} from "@spindle/schemas";
import { tracked } from "@trpc/server";
import { Refused } from "../refused.ts";
import { requestReader } from "./read.ts";
import { procedure, router } from "./trpc.ts";
import { watchLibrary, watchRun } from "./watch.ts";

const graphs = router({
  list: procedure.input(requestReader(validateListGraphsRequest)).query(({ ctx, input }) => ctx.graphs.list(input)),
  duplicate: procedure.input(requestReader(validateIdRequest)).mutation(({ ctx, input }) => ctx.graphs.duplicate(input.id)),
  get: procedure.input(requestReader(validateIdRequest)).query(({ ctx, input }) => ctx.graphs.about(input.id)),
  create: procedure.input(requestReader(validateCreateGraphRequest)).mutation(({ ctx, input }) => ctx.graphs.create(input.name.trim())),
  rename: procedure
    .input(requestReader(validateRenameGraphRequest))
    .mutation(({ ctx, input }) => ctx.graphs.rename(input.id, input.name.trim())),
  remove: procedure.input(requestReader(validateIdRequest)).mutation(({ ctx, input }) => ctx.graphs.remove(input.id)),
  deleted: procedure.query(({ ctx }) => ctx.graphs.deleted()),
  restore: procedure.input(requestReader(validateIdRequest)).mutation(({ ctx, input }) => ctx.graphs.restore(input.id)),
  import: procedure.input(requestReader(validateImportGraphRequest)).mutation(async ({ ctx, input }) => {
    const name = input.name?.trim();
    const { graph, issues } = readAnyText(input.text, ctx.library.library(), name);
    if (!graph) throw Refused.issues("The graph is refused:", issues);
    return ctx.graphs.create(name ?? graph.workflowId, graph);
  }),
});

const runs = router({
  list: procedure
    .input(requestReader(validateListRunsRequest))
    .query(({ ctx, input: { limit = 50, ...filter } }) => ctx.runs.list(filter, limit)),
  get: procedure.input(requestReader(validateIdRequest)).query(({ ctx, input }) => ctx.runs.get(input.id)),
  /** Runs the server's document of a graph. */
  start: procedure.input(requestReader(validateStartRunRequest)).mutation(async ({ ctx, input }) => {
    const { name: title } = await ctx.graphs.find(input.graphId);
    const { graph } = await ctx.graphs.read(input.graphId);
    return ctx.runs.start(graph, input.inputs, {
      title,
      graphId: input.graphId,
      options: input.options ?? {},
      submitter: ctx.connection.submitter,
    });
  }),
  /** What a run would do, and how long it would take. */
  plan: procedure.input(requestReader(validateStartRunRequest)).query(async ({ ctx, input }) => {
    const { graph } = await ctx.graphs.read(input.graphId);
    return ctx.plans.plan(graph, input.inputs, input.options ?? {}, input.graphId);
  }),
  fork: procedure.input(requestReader(validateForkRequest)).mutation(({ ctx, input }) => ctx.runs.fork(input, ctx.connection.submitter)),
  clearCache: procedure.input(requestReader(validateClearCacheRequest)).mutation(({ ctx, input }) => ctx.runs.clearCache(input.graphId)),
  cancel: procedure.input(requestReader(validateIdRequest)).mutation(({ ctx, input }) => ctx.runs.cancel(input.id)),
  cancelNode: procedure
    .input(requestReader(validateNodeRunRequest))
    .mutation(({ ctx, input }) => ctx.runs.cancelNode(input.id, input.path)),
  /** Every node run of a node: visits, elements, and what ran in subgraphs. */
  nodeRuns: procedure.input(requestReader(validateNodeRunsRequest)).query(({ ctx, input }) => ctx.runs.nodeRuns(input)),
  /** What the tries of a node run wrote. */
  logs: procedure.input(requestReader(validateNodeRunRequest)).query(({ ctx, input }) => ctx.runs.logs(input.id, input.path)),
  questions: procedure.input(requestReader(validateIdRequest)).query(({ ctx, input }) => ctx.people.questions(input.id)),
  answer: procedure.input(requestReader(validateAnswerRequest)).mutation(({ ctx, input }) => ctx.people.answer(input)),
  resume: procedure.input(requestReader(validateNodeRunRequest)).mutation(({ ctx, input }) => ctx.people.resume(input.id, input.path)),
  /** The run as it is, then each event in order and what moves in between; resumes after `lastEventId`. */
  watch: procedure.input(requestReader(validateWatchRunRequest)).subscription(async function* ({ ctx, input, signal }) {
    for await (const news of watchRun(ctx, input.id, Number(input.lastEventId ?? 0) || 0, signal)) {
      if (news.kind === "event") yield tracked(String(news.event.seq), news);
      else yield tracked(String(news.seq), news);
    }
  }),
});

const templates = router({
  list: procedure.query(({ ctx }) =>
    ctx.templates.list().map(({ name: key, title, description, picture, graph }) => ({
      name: key,
      title,
      description,
      picture,
      planes: [...new Set(graph.nodes.map((node) => node.plane))],
      nodes: graph.nodes.length,
      draft: Object.values(ctx.plans.engines(graph)).some((engine) => engine.draft),
      ...ctx.templates.readiness(key, ctx.library.library()),
    })),
  ),
  get: procedure.input(requestReader(validateTemplateRequest)).query(({ ctx, input }) => {
    const template = ctx.templates.find(input.name);
    const library = ctx.library.library();
    return {
      ...template,
      inputs: ctx.templates.inputs(input.name, library),
      engines: ctx.plans.engines(template.graph),
      ...ctx.templates.readiness(input.name, library),
    };
  }),
  start: procedure.input(requestReader(validateStartTemplateRequest)).mutation(({ ctx, input }) => {
    const { graph, title } = ctx.templates.find(input.name);
    return ctx.runs.start(graph, input.inputs, { title, template: input.name, submitter: ctx.connection.submitter });
  }),
  /** Makes a graph of the template, which the person may then edit. */
  open: procedure.input(requestReader(validateTemplateRequest)).mutation(({ ctx, input }) => {
    const { graph, title } = ctx.templates.find(input.name);
    return ctx.graphs.create(title, graph, input.name);
  }),
});

/** ComfyUI workflows that people offer as engines of capabilities. */
const engines = router({
  list: procedure.query(({ ctx }) => ctx.engines.list()),
  offer: procedure.input(requestReader(validateOfferEngineRequest)).mutation(({ ctx, input }) => ctx.engines.offer(input.blueprint)),
  uses: procedure.input(requestReader(validateEngineRequest)).query(({ ctx, input }) => ctx.engines.uses(input.name)),
  remove: procedure.input(requestReader(validateEngineRequest)).mutation(({ ctx, input }) => ctx.engines.remove(input.name)),
});

const definitions = router({
  /** The newest version of each. */
  list: procedure.query(({ ctx }) => ctx.definitions.list()),
  get: procedure.input(requestReader(validateDefinitionRequest)).query(({ ctx, input }) => ctx.definitions.get(input)),
  share: procedure.input(requestReader(validateShareDefinitionRequest)).mutation(({ ctx, input }) => ctx.definitions.share(input)),
});

/** What waits for which device, and what people decide about that. */
const system = router({
  get: procedure.query(({ ctx }) => ctx.system.view()),
  pause: procedure
    .input(requestReader(validateDeviceRequest))
    .mutation(({ ctx, input }) => ctx.queue.pause(input.device, ctx.connection.submitter)),
  resume: procedure.input(requestReader(validateDeviceRequest)).mutation(({ ctx, input }) => ctx.queue.resume(input.device)),
  prioritise: procedure
    .input(requestReader(validatePriorityRequest))
    .mutation(({ ctx, input }) => ctx.queue.prioritise(input.id, input.priority)),
  /** Takes what a worker offered out of the library that does not answer. */
  forget: procedure.input(requestReader(validateDrainRequest)).mutation(({ ctx, input }) => ctx.library.forget(input.worker ?? "")),
});

export const appRouter = router({
  engines,
  graphs,
  definitions,
  runs,
  system,
  templates,
  library: router({
    /** Which documents are the library: each time that it changes. */
    watch: procedure.subscription(async function* ({ ctx, signal }) {
      yield* watchLibrary(ctx, signal);
    }),
  }),
});

export type AppRouter = typeof appRouter;

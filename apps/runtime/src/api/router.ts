import { enginesNotLive, readAnyText } from "@spindle/graph-model";
import { tracked } from "@trpc/server";
import { z } from "zod";
import { Refused } from "../refused.ts";
import { storedText } from "../store/storable.ts";
import { procedure, router } from "./trpc.ts";
import { watchLibrary, watchRun } from "./watch.ts";

const id = z.string().uuid();
const name = z.string().trim().min(1).max(200);
const path = storedText(2000).min(1);
const values = z.record(z.string(), z.unknown());
const node = storedText(64);
const byNode = z.record(node, values);
const runOptions = z.strictObject({
  force: z.union([z.literal(true), z.array(node).max(5000)]).optional(),
  priority: z.enum(["high", "normal", "low"]).optional(),
  part: z.strictObject({ of: z.enum(["to", "from", "only"]), node }).optional(),
});

/** The object without the keys whose value is undefined. */
const clean = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };

const graphs = router({
  list: procedure.query(({ ctx }) => ctx.graphs.list()),
  get: procedure.input(z.object({ id })).query(({ ctx, input }) => ctx.graphs.about(input.id)),
  create: procedure.input(z.object({ name })).mutation(({ ctx, input }) => ctx.graphs.create(input.name)),
  rename: procedure.input(z.object({ id, name })).mutation(({ ctx, input }) => ctx.graphs.rename(input.id, input.name)),
  remove: procedure.input(z.object({ id })).mutation(({ ctx, input }) => ctx.graphs.remove(input.id)),
  import: procedure.input(z.object({ text: z.string().max(3_000_000), name: name.optional() })).mutation(async ({ ctx, input }) => {
    const { graph, issues } = readAnyText(input.text, ctx.library.library(), input.name);
    if (!graph) throw Refused.issues("The graph is refused:", issues);
    return ctx.graphs.create(input.name ?? graph.workflowId, graph);
  }),
});

const runs = router({
  list: procedure
    .input(z.object({ graphId: id.optional(), template: storedText(80).optional(), limit: z.number().int().min(1).max(200).default(50) }))
    .query(({ ctx, input: { limit, ...filter } }) => ctx.runs.list(filter, limit)),
  get: procedure.input(z.object({ id })).query(({ ctx, input }) => ctx.runs.get(input.id)),
  /** Runs the server's document of a graph. */
  start: procedure.input(z.object({ graphId: id, inputs: values, options: runOptions.optional() })).mutation(async ({ ctx, input }) => {
    const { name: title } = await ctx.graphs.find(input.graphId);
    const { graph } = await ctx.graphs.read(input.graphId);
    return ctx.runs.start(graph, input.inputs, {
      title,
      graphId: input.graphId,
      options: clean(input.options ?? {}),
      submitter: ctx.connection.submitter,
    });
  }),
  /** What a run would do, and how long it would take. */
  plan: procedure.input(z.object({ graphId: id, inputs: values, options: runOptions.optional() })).query(async ({ ctx, input }) => {
    const { graph } = await ctx.graphs.read(input.graphId);
    return ctx.plans.plan(graph, input.inputs, clean(input.options ?? {}), input.graphId);
  }),
  fork: procedure
    .input(z.object({ id, node: node.optional(), params: byNode.optional(), outputs: byNode.optional(), inputs: values.optional() }))
    .mutation(({ ctx, input: { id: run, ...change } }) => ctx.runs.fork(run, clean(change), ctx.connection.submitter)),
  clearCache: procedure.input(z.object({ graphId: id.optional() })).mutation(({ ctx, input }) => ctx.runs.clearCache(input.graphId)),
  cancel: procedure.input(z.object({ id })).mutation(({ ctx, input }) => ctx.runs.cancel(input.id)),
  cancelNode: procedure.input(z.object({ id, path })).mutation(({ ctx, input }) => ctx.runs.cancelNode(input.id, input.path)),
  /** Every node run of a node: visits, elements, and what ran in subgraphs. */
  nodeRuns: procedure.input(z.object({ id, node: node.optional() })).query(({ ctx, input }) => ctx.runs.nodeRuns(input.id, input.node)),
  /** What the tries of a node run wrote. */
  logs: procedure.input(z.object({ id, path })).query(({ ctx, input }) => ctx.runs.logs(input.id, input.path)),
  questions: procedure.input(z.object({ id })).query(({ ctx, input }) => ctx.people.questions(input.id)),
  answer: procedure
    .input(z.object({ id, path, values, button: z.string().max(80).optional() }))
    .mutation(({ ctx, input: { id: run, path: at, values: given, button } }) =>
      ctx.people.answer(run, at, { values: given, ...(button === undefined ? {} : { button }) }),
    ),
  resume: procedure.input(z.object({ id, path })).mutation(({ ctx, input }) => ctx.people.resume(input.id, input.path)),
  /** The run as it is, then each event in order and what moves in between; resumes after `lastEventId`. */
  watch: procedure.input(z.object({ id, lastEventId: z.string().nullish() })).subscription(async function* ({ ctx, input, signal }) {
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
    })),
  ),
  get: procedure.input(z.object({ name: z.string().max(80) })).query(({ ctx, input }) => {
    const template = ctx.templates.find(input.name);
    const library = ctx.library.library();
    const [notLive] = enginesNotLive(template.graph, library);
    return {
      ...template,
      inputs: ctx.templates.inputs(input.name, library),
      engines: ctx.runs.engines(template.graph),
      /** Why no engine can run the template now; absent if one can. */
      notLive: notLive?.issue.message,
    };
  }),
  start: procedure.input(z.object({ name: z.string().max(80), inputs: values })).mutation(({ ctx, input }) => {
    const { graph, title } = ctx.templates.find(input.name);
    return ctx.runs.start(graph, input.inputs, { title, template: input.name, submitter: ctx.connection.submitter });
  }),
  /** Makes a graph of the template, which the person may then edit. */
  open: procedure.input(z.object({ name: z.string().max(80) })).mutation(({ ctx, input }) => {
    const { graph, title } = ctx.templates.find(input.name);
    return ctx.graphs.create(title, graph, input.name);
  }),
});

export const appRouter = router({
  graphs,
  runs,
  templates,
  library: router({
    get: procedure.query(({ ctx }) => ctx.library.manifest()),
    watch: procedure.subscription(async function* ({ ctx, signal }) {
      yield* watchLibrary(ctx, signal);
    }),
  }),
});

export type AppRouter = typeof appRouter;

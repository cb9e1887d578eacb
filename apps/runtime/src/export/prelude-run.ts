// How an exported program is run at once, and what a state of it says.
import { Command, INTERRUPT, type Interrupt, isInterrupted, MemorySaver } from "@langchain/langgraph";
import { type LevelProgram, type Now, publicOutputs, type ServiceConfig, type Update, type Values } from "./prelude.ts";

/** What a person, or whoever stands in for one, answers: `{ values, button }`. */
export type Answer = (question: never) => unknown;
type App = { invoke(input: Update | Command, config: ServiceConfig): Promise<Now> };

/** LangGraph marks a state before which it was told to stop as interrupted, too, without a question. */
const questionsIn = (state: Now): Interrupt[] => (isInterrupted(state) ? (state as { [INTERRUPT]: Interrupt[] })[INTERRUPT] : []);

function outcomeOfState(level: LevelProgram, state: Now) {
  const { states, failed } = state;
  return { status: statusOf(level, state), outputs: publicOutputs(level, state), states, failed };
}

/** `unfinished`: LangGraph was told to stop there, or the state is one of the history. */
function statusOf({ nodes }: LevelProgram, state: Now): "waiting" | "unfinished" | "failed" | "succeeded" {
  if (questionsIn(state).length > 0) return "waiting";
  const { results, visits, failed } = state;
  const isOver = nodes.every((id) => Object.hasOwn(results, id)) && Object.values(visits).every((next) => next === -1);
  if (!isOver) return "unfinished";
  return failed.length > 0 ? "failed" : "succeeded";
}

/** @param app makes an app that keeps its checkpoints in memory, where there is somebody to answer */
async function runToEnd(app: (options: { checkpointer?: MemorySaver }) => App, inputs: Values, answer?: Answer): Promise<Now> {
  const config = { configurable: { thread_id: "run" } } as ServiceConfig;
  const running = app(answer ? { checkpointer: new MemorySaver() } : {});
  let state = await running.invoke({ inputs }, config);
  for (let asked = questionsIn(state); answer && asked.length > 0; asked = questionsIn(state)) {
    const answers = await Promise.all(asked.map(async ({ id, value }) => [id as string, await answer(value as never)] as const));
    state = await running.invoke(new Command({ resume: Object.fromEntries(answers) }), config);
  }
  return state;
}

// ---

/** For the sources of this file alone. */
export const used = { outcomeOfState, runToEnd };

// How an exported program is run at once, and what a state of it says.
import { Command, INTERRUPT, type Interrupt, isInterrupted, MemorySaver } from "@langchain/langgraph";
import { type Config, type Level, type Now, outputsOf, type State, type Values } from "./prelude.ts";

/** What a person, or whoever stands in for one, answers: `{ values, button }`. */
export type Answer = (question: never) => unknown;
type App = { invoke(input: typeof State.Update | Command, config: Config): Promise<Now> };

function outcomeOfState(level: Level, state: Now) {
  const { states, failed } = state;
  const status = isInterrupted(state) ? "waiting" : failed.length > 0 ? "failed" : "succeeded";
  return { status: status as "waiting" | "failed" | "succeeded", outputs: outputsOf(level, state), states, failed };
}

/** @param app makes an app that keeps its checkpoints in memory, where there is somebody to answer */
async function runToEnd(app: (options: { checkpointer?: MemorySaver }) => App, inputs: Values, answer?: Answer): Promise<Now> {
  const config = { configurable: { thread_id: "run" } } as Config;
  const running = app(answer ? { checkpointer: new MemorySaver() } : {});
  let state = await running.invoke({ inputs }, config);
  while (answer && isInterrupted(state)) {
    const asked = (state as { [INTERRUPT]: Interrupt[] })[INTERRUPT];
    const answers = await Promise.all(asked.map(async ({ id, value }) => [id as string, await answer(value as never)] as const));
    state = await running.invoke(new Command({ resume: Object.fromEntries(answers) }), config);
  }
  return state;
}

// ---

/** For the sources of this file alone. */
export const used = { outcomeOfState, runToEnd };

// What one run stores in the inputs and outputs of its node runs, and which large inputs are under way to them (SPEC RV1, RV2).
import { setImmediate as nextTurn } from "node:timers/promises";
import { jsonBytes } from "@spindle/graph-model";
import type { AnyChange, NodeChange, NodeMove } from "../record/changes.ts";
import type { NodeRunRow, Written } from "../record/node-run.ts";
import { MAX_STORED, whyOutputTooLarge, whyTooMuchStored } from "../record/output-limit.ts";
import { largeInputs } from "./large-inputs.ts";
import { failed } from "./moves.ts";

type Values = Record<string, unknown>;

/** Bytes, as JSON, up to which an input is small: so many of them are under way as node runs may begin (pace.ts). */
const SMALL = 64 * 1024;

/** What keeps a run going in this process. */
export interface Activity {
  /** Why the run is no longer driven here; undefined while it is. */
  readonly closedBy: Error | undefined;
  /** Does work during which the run does not rest. */
  work<T>(doing: () => Promise<T>): Promise<T>;
}

/** Bytes of values, as JSON: the same value is weighed once, however many node runs have it. */
const weighed = new WeakMap<object, number>();

function weigh(value: Values | null | undefined): number {
  if (!value) return 0;
  const bytes = weighed.get(value) ?? jsonBytes(value, MAX_STORED);
  weighed.set(value, bytes);
  return bytes;
}

/** Every value of the run comes by here: `NodeStep` asks before each change, and `RowCache` tells of each row that it keeps. */
export class RunValues {
  /** Bytes of the inputs and outputs that the run has stored, or is about to. */
  private stored = 0;
  /** The same, by the path of their node run. */
  private readonly counted = new Map<string, { input: number; output: number }>();
  /** Lets others begin, by the path of a node run whose large input is not written yet. */
  private readonly large = new Map<string, () => void>();

  constructor(
    private readonly run: string,
    private readonly activity: Activity,
  ) {}

  /** Counts what the run has stored by now. */
  async count(rows: readonly NodeRunRow[]): Promise<void> {
    let sinceTurn = 0;
    for (const row of rows) {
      const before = this.stored;
      this.written(row);
      sinceTurn += this.stored - before;
      if (sinceTurn > SMALL) sinceTurn = await nextTurn(0);
    }
  }

  /**
   * Resolves when a queued node run may take its input. A large one waits for its turn, which lasts until the input is written.
   * @returns the change that fails the node run, if the run would store too much
   */
  async admit({ path }: NodeRunRow, input: Values): Promise<NodeMove | undefined> {
    // The bytes of a large input are at least so many. What is too much already waits for no turn, and is weighed no further.
    const least = jsonBytes(input, SMALL);
    const isTooMuch = this.stored - (this.counted.get(path)?.input ?? 0) + least > MAX_STORED;
    if (least > SMALL && !isTooMuch && !this.large.has(path)) {
      // A branch that nobody awaits any more may come this late: what it held, nobody would give back.
      if (this.activity.closedBy) throw this.activity.closedBy;
      const held = await this.activity.work(() => largeInputs.hold(this.run, () => weigh(input)));
      if (this.activity.closedBy) {
        held.release();
        throw this.activity.closedBy;
      }
      this.large.set(path, held.release);
    }
    const error = isTooMuch ? whyTooMuchStored(least) : this.whyTooMuch(path, { input });
    return error && failed(error.code, error.message);
  }

  /** The change; or, if too much would be stored with its values, the one that fails the node run, or ends it as it was to be ended, without. */
  fitting(path: string, asked: NodeChange): NodeChange {
    const { input, output, body: _, error: given, ...rest }: AnyChange = asked;
    const error = (output && whyOutputTooLarge(output)) ?? this.whyTooMuch(path, { input, output });
    if (!error) return asked;
    const kept = output && input && !this.whyTooMuch(path, { input }) ? { input } : {};
    const change = asked.change === "succeedHere" ? "failHere" : "fail";
    return { ...rest, ...(given ? { error: given } : { change, error }), ...kept } as NodeChange;
  }

  /** The error of a change with whose values the run would store too much. Those of any other are counted, in place of what the row has. */
  whyTooMuch(path: string, { input, output }: Written): ReturnType<typeof whyTooMuchStored> | undefined {
    const { input: oldInput, output: oldOutput } = this.counted.get(path) ?? NOTHING;
    const bytes = { input: input ? weigh(input) : oldInput, output: output ? weigh(output) : oldOutput };
    const more = bytes.input - oldInput + bytes.output - oldOutput;
    if (more > 0 && this.stored + more > MAX_STORED) return whyTooMuchStored(more);
    this.set(path, bytes);
    return undefined;
  }

  /** Counts a row as it stands in the record, whoever wrote it, and lets others begin. */
  written({ path, state, input, output }: NodeRunRow): void {
    this.set(path, { input: weigh(input), output: weigh(output) });
    if (state === "queued") return;
    this.large.get(path)?.();
    this.large.delete(path);
  }

  /** Lets go what waits for its turn, because the run is being cancelled, or is driven here no more. */
  letGo(): void {
    largeInputs.letGo(this.run);
  }

  private set(path: string, bytes: { input: number; output: number }): void {
    const { input, output } = this.counted.get(path) ?? NOTHING;
    this.stored += bytes.input - input + bytes.output - output;
    this.counted.set(path, bytes);
  }
}

const NOTHING = { input: 0, output: 0 };

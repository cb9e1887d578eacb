// What one run stores in the inputs and outputs of its node runs, and which large inputs are under way to them (SPEC RV1, RV2).
import { setImmediate as nextTurn } from "node:timers/promises";
import { jsonBytes } from "@spindle/graph-model";
import type { NodeMove } from "../record/changes.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { MAX_STORED, whyTooMuchStored } from "../record/output-limit.ts";
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

export class RunValues {
  /** Bytes, as JSON, of the inputs and outputs that the run has stored, or is about to. */
  private stored = 0;
  /** Lets others begin, by the path of a node run whose large input is not written yet. */
  private readonly large = new Map<string, () => void>();
  /** Paths of outputs that are counted, and not written yet. */
  private readonly counted = new Set<string>();

  constructor(
    private readonly run: string,
    private readonly activity: Activity,
  ) {}

  /** Counts what the run has stored by now. */
  async count(rows: readonly NodeRunRow[]): Promise<void> {
    let sinceTurn = 0;
    for (const { input, output } of rows) {
      const bytes = jsonBytes(input ?? {}, MAX_STORED) + jsonBytes(output ?? {}, MAX_STORED);
      this.stored += bytes;
      sinceTurn += bytes;
      if (sinceTurn > SMALL) sinceTurn = await nextTurn(0);
    }
  }

  /**
   * Resolves when a queued node run may take its input. A large one waits for its turn, which lasts until the input is written.
   * @returns the change that fails the node run, if the run would store too much
   */
  async admit({ path }: NodeRunRow, input: Values): Promise<NodeMove | undefined> {
    if (this.large.has(path)) return undefined;
    let bytes = jsonBytes(input, SMALL);
    // The bytes of a large input are at least so many. What is too much already waits for no turn, and is weighed no further.
    if (bytes > SMALL && this.stored + bytes <= MAX_STORED) {
      // A branch that nobody awaits any more may come this late: what it held, nobody would give back.
      if (this.activity.closedBy) throw this.activity.closedBy;
      const held = await this.activity.work(() => largeInputs.hold(this.run, () => jsonBytes(input, MAX_STORED)));
      if (this.activity.closedBy) {
        held.release();
        throw this.activity.closedBy;
      }
      this.large.set(path, held.release);
      bytes = held.bytes;
    }
    if (this.store(bytes)) return undefined;
    const { code, message } = whyTooMuchStored(bytes);
    return failed(code, message);
  }

  /** The error of an output with which the run would store too much; any other is counted, once, however often its change is tried. */
  whyNotStored(path: string, output: Values): ReturnType<typeof whyTooMuchStored> | undefined {
    if (this.counted.has(path)) return undefined;
    const bytes = jsonBytes(output, MAX_STORED);
    if (!this.store(bytes)) return whyTooMuchStored(bytes);
    this.counted.add(path);
    return undefined;
  }

  /** Lets others begin, because the row of a node run has changed. */
  written(path: string): void {
    this.large.get(path)?.();
    this.large.delete(path);
    this.counted.delete(path);
  }

  /** Lets go what waits for its turn, because the run is being cancelled, or is driven here no more. */
  letGo(): void {
    largeInputs.letGo(this.run);
  }

  private store(bytes: number): boolean {
    if (this.stored + bytes > MAX_STORED) return false;
    this.stored += bytes;
    return true;
  }
}

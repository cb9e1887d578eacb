// Nodes with large inputs begin in the turns of their runs (SPEC RV1, docs/decisions/0023). An input may be what a thousand other nodes get,
// too: nobody holds a copy of it until it is hashed, checked and written, which is work for everybody's event loop and PostgreSQL.
import { inNextTurn } from "../next-turn.ts";

const MIB = 1024 * 1024;

interface Waiting {
  weigh: () => number;
  begin: (held: Held) => void;
  /** Bytes, once it was weighed. */
  bytes?: number;
}

interface Run {
  held: number;
  waiting: Waiting[];
}

export interface Held {
  bytes: number;
  /** Lets others begin. It may be called again, and after the run has ended. */
  release: () => void;
}

export class LargeInputs {
  /** The runs with large inputs under way, the one whose turn is next first. */
  private readonly runs = new Map<string, Run>();
  private held = 0;
  private readonly schedule: () => void = inNextTurn(() => {
    if (this.turn()) this.schedule();
  });

  /** @param most bytes under way of one run and of all, unless one input alone is larger; and those that begin in a turn of the event loop */
  constructor(private readonly most = { ofRun: 32 * MIB, ofAll: 128 * MIB, inTurn: MIB }) {}

  /**
   * Resolves when a node may take its input.
   * @param weigh tells the bytes of the input as JSON; asked once, when it is the node's turn
   */
  hold(name: string, weigh: () => number): Promise<Held> {
    const run = this.runs.get(name) ?? { held: 0, waiting: [] };
    this.runs.set(name, run);
    return new Promise((begin) => {
      run.waiting.push({ weigh, begin });
      this.schedule();
    });
  }

  /** Lets everything of a run go: it is being cancelled, or is driven here no more. */
  letGo(name: string): void {
    const run = this.runs.get(name);
    if (!run) return;
    this.runs.delete(name);
    this.held -= run.held;
    for (const { begin } of run.waiting) begin({ bytes: 0, release: () => {} });
    this.schedule();
  }

  /** Lets runs begin one node each, in turn. True if the next turn of the event loop goes on with it. */
  private turn(): boolean {
    let begun = 0;
    for (const [name, run] of [...this.runs]) {
      const next = run.waiting[0];
      if (!next) continue;
      next.bytes ??= next.weigh();
      if (run.held > 0 && run.held + next.bytes > this.most.ofRun) continue;
      if (this.held > 0 && this.held + next.bytes > this.most.ofAll) return false; // it is passed by nobody, or it might wait for ever
      run.waiting.shift();
      this.begin(name, run, next, next.bytes);
      begun += next.bytes;
      if (begun >= this.most.inTurn) break;
    }
    return begun > 0;
  }

  private begin(name: string, run: Run, { begin }: Waiting, bytes: number): void {
    run.held += bytes;
    this.held += bytes;
    this.runs.delete(name);
    this.runs.set(name, run);
    let isHeld = true;
    begin({
      bytes,
      release: () => {
        if (!isHeld || this.runs.get(name) !== run) return;
        isHeld = false;
        run.held -= bytes;
        this.held -= bytes;
        if (run.held === 0 && run.waiting.length === 0) this.runs.delete(name);
        this.schedule();
      },
    });
  }
}

/** Of all runs in this process, which share its event loop. */
export const largeInputs = new LargeInputs();

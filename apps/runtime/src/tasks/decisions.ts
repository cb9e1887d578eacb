// Lets callers wait for a change of a node run: a worker's result or a person's answer. A bell says that the row may have changed, and the
// row says what it is; a slow poll finds the changes of other runtimes whose bell was lost.
import { EventEmitter, once } from "node:events";
import type { NodeRunRow } from "../record/node-run.ts";
import type { NodeRunRecord } from "../record/record.ts";
import { isOutage, patient } from "../store/patient.ts";

const POLL_MS = 1000;

export class Decisions {
  private readonly heard = new EventEmitter().setMaxListeners(0);
  private readonly awaited = new Map<string, number>();
  private readonly bells: ((nodeRun: string) => void)[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly nodes: Pick<NodeRunRecord, "find" | "moved">) {}

  start(onError: (where: string, error: unknown) => void): void {
    const poll = async () => {
      await this.poll().catch((error) => {
        if (!isOutage(error)) onError("decisions", error);
      });
      this.timer = setTimeout(poll, POLL_MS);
    };
    this.timer = setTimeout(poll, POLL_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** Announces that a node run was changed here, with its row where that is known, to this runtime and the others. */
  announce(nodeRun: string, row?: NodeRunRow): void {
    this.hear(nodeRun, row);
    for (const bell of this.bells) bell(nodeRun);
  }

  onAnnounce(bell: (nodeRun: string) => void): void {
    this.bells.push(bell);
  }

  hear(nodeRun: string, row?: NodeRunRow): void {
    this.heard.emit(nodeRun, row);
  }

  /**
   * Resolves with the row once `isOver`.
   * @param fresh whether the node run cannot have changed yet, so that it need not be read before the first bell
   * @throws the signal's reason when it is aborted
   */
  async wait(nodeRun: string, isOver: (row: NodeRunRow) => boolean, signal: AbortSignal, fresh = false): Promise<NodeRunRow> {
    this.awaited.set(nodeRun, (this.awaited.get(nodeRun) ?? 0) + 1);
    try {
      for (let heard: NodeRunRow | undefined, mustRead = !fresh; ; mustRead = heard === undefined) {
        signal.throwIfAborted();
        const bell = once(this.heard, nodeRun, { signal }) as Promise<[NodeRunRow | undefined]>;
        bell.catch(() => {});
        const row = mustRead ? await this.read(nodeRun, signal) : heard;
        if (row && isOver(row)) return row;
        heard = await bell.then(
          ([row]) => row,
          () => void signal.throwIfAborted(),
        );
      }
    } finally {
      const left = (this.awaited.get(nodeRun) ?? 1) - 1;
      if (left > 0) this.awaited.set(nodeRun, left);
      else this.awaited.delete(nodeRun);
    }
  }

  private async read(nodeRun: string, signal: AbortSignal): Promise<NodeRunRow> {
    const row = await patient(
      () => this.nodes.find(nodeRun),
      () => signal.aborted,
    );
    if (!row) throw new Error(`The node run ${nodeRun} is gone.`);
    return row;
  }

  private async poll(): Promise<void> {
    if (this.awaited.size === 0) return;
    for (const id of await this.nodes.moved([...this.awaited.keys()])) this.hear(id);
  }
}

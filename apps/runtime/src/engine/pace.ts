// Paces the beginnings of a run's nodes (docs/decisions/0024): a few in each turn of the event loop, which serves all requests, and none
// while many requests of the run to the record are under way. Calls and maps make more nodes, so the deepest of them begins first: what
// has begun is over before more begins.
import { inNextTurn } from "../next-turn.ts";

/** How many nodes begin in one turn of the event loop. */
const BEGUN_A_TURN = 32;
/** How many requests to the record may be under way while nodes begin. They end by themselves: none of them waits for a node. */
const MOST_REQUESTS = 256;
/** One beginning in so many is that of the node that has waited longest, so that no call waits for the end of a whole tree of others. */
const ELDEST_EVERY = 16;

interface Waiting {
  place: number;
  begin: () => void;
}

export class Pace {
  private readonly nodes: Waiting[] = [];
  /** The nodes that make more nodes, by how many calls lie around them. */
  private readonly makers: Waiting[][] = [];
  private queued = 0;
  private waiting = 0;
  private begunInTurn = 0;
  private begun = 0;
  private requests = 0;
  private readonly schedule = inNextTurn(() => {
    this.begunInTurn = 0;
    this.turn();
  });

  /**
   * Resolves when a node run may begin; undefined where it may at once.
   * @param depth how many calls lie around it, if it makes more node runs
   */
  begin(depth?: number): Promise<void> | undefined {
    if (this.waiting === 0 && this.hasRoom()) {
      this.count();
      return undefined;
    }
    return new Promise((begin) => {
      const queue = depth === undefined ? this.nodes : (this.makers[depth] ?? []);
      if (depth !== undefined) this.makers[depth] = queue;
      queue.push({ place: this.queued++, begin });
      this.waiting++;
      this.schedule();
    });
  }

  /** Makes a request to the record, which ends by itself. */
  async request<T>(call: () => Promise<T>): Promise<T> {
    this.requests++;
    try {
      return await call();
    } finally {
      this.requests--;
      if (this.waiting > 0) this.schedule();
    }
  }

  private hasRoom(): boolean {
    return this.begunInTurn < BEGUN_A_TURN && this.requests < MOST_REQUESTS;
  }

  private count(): void {
    this.begun++;
    this.begunInTurn++;
    this.schedule();
  }

  private turn(): void {
    while (this.waiting > 0 && this.hasRoom()) {
      this.waiting--;
      const next = this.next();
      this.count();
      next.begin();
    }
  }

  /** The node that begins next. Nodes that make no others come first, so that no tree of calls holds them back. */
  private next(): Waiting {
    if (this.nodes.length > 0) return this.nodes.shift() as Waiting;
    const queues = this.makers.filter(({ length }) => length > 0);
    const eldest = queues.reduce((found, queue) => ((queue[0] as Waiting).place < (found[0] as Waiting).place ? queue : found));
    const queue = this.begun % ELDEST_EVERY === 0 ? eldest : (queues.at(-1) as Waiting[]);
    return queue.shift() as Waiting;
  }
}

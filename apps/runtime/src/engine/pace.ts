// When nodes of a run begin (docs/decisions/0024): a few in each turn of the event loop, which serves everybody, and none while the
// record has much to write for the run. Calls and maps make more nodes: of those that wait the deepest begins first, so that what is
// begun is over before more is.

/** Beginnings in one turn of the event loop. */
const A_TURN = 32;
/** Requests to the record that are under way, above which nothing begins. They end by themselves: nothing that holds one waits here. */
const REQUESTS = 256;
/** One in so many is the one that waited longest, so that no call waits for the end of a whole tree of others. */
const ELDEST_EVERY = 16;

interface Waiting {
  place: number;
  begin: () => void;
}

export class Pace {
  private readonly nodes: Waiting[] = [];
  /** Those that make more nodes, by how many calls lie around them. */
  private readonly makers: Waiting[][] = [];
  private asked = 0;
  private waiting = 0;
  private begunInTurn = 0;
  private begun = 0;
  private requests = 0;
  private scheduled = false;

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
      queue.push({ place: this.asked++, begin });
      this.waiting++;
      this.schedule();
    });
  }

  /** Asks the record for something that ends by itself. */
  async request<T>(ask: () => Promise<T>): Promise<T> {
    this.requests++;
    try {
      return await ask();
    } finally {
      this.requests--;
      if (this.waiting > 0) this.schedule();
    }
  }

  private hasRoom(): boolean {
    return this.begunInTurn < A_TURN && this.requests < REQUESTS;
  }

  private count(): void {
    this.begun++;
    this.begunInTurn++;
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.begunInTurn = 0;
      this.turn();
    });
  }

  private turn(): void {
    while (this.waiting > 0 && this.hasRoom()) {
      this.waiting--;
      const next = this.next();
      this.count();
      next.begin();
    }
  }

  /** Nodes that make no others come first: nothing is held back by a tree of calls. */
  private next(): Waiting {
    if (this.nodes.length > 0) return this.nodes.shift() as Waiting;
    const queues = this.makers.filter(({ length }) => length > 0);
    const eldest = queues.reduce((found, queue) => ((queue[0] as Waiting).place < (found[0] as Waiting).place ? queue : found));
    const queue = this.begun % ELDEST_EVERY === 0 ? eldest : (queues.at(-1) as Waiting[]);
    return queue.shift() as Waiting;
  }
}

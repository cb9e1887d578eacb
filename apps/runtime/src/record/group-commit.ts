interface Request<Item, Answer> {
  item: Item;
  /** In the unit of `size`. */
  size: number;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

interface Batching<Item> {
  /** Items of one key go into different batches, in order, because a statement changes a row once. */
  keyOf: (item: Item) => string;
  /** The queue of an item: each has a turn, however much waits in the others. */
  queueOf: (item: Item) => string;
  sizeOf?: (item: Item) => number;
  /** What one batch holds at most. An item that is larger by itself is a batch of its own. */
  items?: number;
  size?: number;
}

/**
 * Commits items in batches: those that are requested during a commit share the next one, and one that is requested alone does not wait.
 * The queues take turns; an item that is a batch of its own takes turns with the batches of all the others.
 */
export class GroupCommit<Item, Answer> {
  /** What waits, by queue; the queue whose turn is next comes first. */
  private readonly queues = new Map<string, Request<Item, Answer>[]>();
  private busy = false;
  private wasAlone = true;
  private readonly most: { items: number; size: number };

  constructor(
    private readonly commitBatch: (items: Item[]) => Promise<Answer[]>,
    private readonly batching: Batching<Item>,
  ) {
    this.most = { items: batching.items ?? 500, size: batching.size ?? Number.POSITIVE_INFINITY };
  }

  /** @returns what the commit answers for the item */
  commit(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { queueOf, sizeOf = () => 0 } = this.batching;
      const queue = this.queues.get(queueOf(item));
      const request = { item, size: sizeOf(item), resolve, reject };
      if (queue) queue.push(request);
      else this.queues.set(queueOf(item), [request]);
      if (!this.busy) void this.flush();
    });
  }

  /** Drops what waits in a queue and is not being committed yet, with this answer. */
  drop(name: string, isDropped: (item: Item) => boolean, answer: Answer): void {
    const queue = this.queues.get(name) ?? [];
    const kept = queue.filter(({ item }) => !isDropped(item));
    if (kept.length > 0) this.queues.set(name, kept);
    else this.queues.delete(name);
    for (const request of queue) if (!kept.includes(request)) request.resolve(answer);
  }

  private async flush(): Promise<void> {
    this.busy = true;
    while (this.queues.size > 0) {
      const batch = this.nextBatch();
      try {
        const answers = await this.commitBatch(batch.map(({ item }) => item));
        for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer);
      } catch (error) {
        if (batch.length === 1) batch[0]?.reject(error);
        else await this.oneByOne(batch);
      }
    }
    this.busy = false;
  }

  /** Commits the items of a batch that failed one by one, so that only the one at fault fails. */
  private async oneByOne(batch: readonly Request<Item, Answer>[]): Promise<void> {
    for (const { item, resolve, reject } of batch) {
      try {
        resolve((await this.commitBatch([item]))[0] as Answer);
      } catch (error) {
        reject(error);
      }
    }
  }

  private nextBatch(): Request<Item, Answer>[] {
    const lone = [...this.queues].find(([, [first]]) => first && first.size > this.most.size)?.[0];
    const isLoneDue = lone !== undefined && !this.wasAlone;
    const batch = isLoneDue ? [] : this.together();
    this.wasAlone = batch.length === 0;
    return batch.length > 0 ? batch : [this.takeFirst(lone as string)];
  }

  /** The next batch of items that are not batches of their own: one of each queue, then another of each. */
  private together(): Request<Item, Answer>[] {
    const batch: Request<Item, Answer>[] = [];
    const keys = new Set<string>();
    let size = 0;
    let isFull = false;
    let taken = -1;
    while (!isFull && taken < batch.length) {
      taken = batch.length;
      for (const [name, [first]] of [...this.queues]) {
        if (!first || first.size > this.most.size || keys.has(this.batching.keyOf(first.item))) continue;
        isFull ||= batch.length === this.most.items || size + first.size > this.most.size;
        if (isFull) break;
        size += first.size;
        keys.add(this.batching.keyOf(first.item));
        batch.push(this.takeFirst(name));
      }
    }
    return batch;
  }

  /** Takes the first item of a queue, whose next turn comes after those of all the others. */
  private takeFirst(name: string): Request<Item, Answer> {
    const queue = this.queues.get(name) as Request<Item, Answer>[];
    const first = queue.shift() as Request<Item, Answer>;
    this.queues.delete(name);
    if (queue.length > 0) this.queues.set(name, queue);
    return first;
  }
}

interface Request<Item, Answer> {
  item: Item;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/** What one batch holds at most. An item that is larger by itself is a batch of its own. */
interface BatchLimits {
  items?: number;
  size?: number;
}

/** Commits items in batches: those that are requested during a commit share the next one, and one that is requested alone does not wait. */
export class GroupCommit<Item, Answer> {
  private waiting: Request<Item, Answer>[] = [];
  private busy = false;

  constructor(
    private readonly commitBatch: (items: Item[]) => Promise<Answer[]>,
    /** Items of one key go into different batches, in order, because a statement changes a row once. */
    private readonly keyOf: (item: Item) => string,
    private readonly limits: BatchLimits = {},
    /** The size of an item, in the unit of `limits.size`. */
    private readonly sizeOf: (item: Item) => number = () => 0,
  ) {}

  /** @returns what the commit answers for the item */
  commit(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.busy) void this.flush();
    });
  }

  private async flush(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
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
    const keys = new Set<string>();
    const batch: Request<Item, Answer>[] = [];
    const later: Request<Item, Answer>[] = [];
    const { items = 500, size = Number.POSITIVE_INFINITY } = this.limits;
    let [seen, sum] = [0, 0];
    for (const request of this.waiting) {
      const key = this.keyOf(request.item);
      const isNext = !keys.has(key);
      sum += isNext ? this.sizeOf(request.item) : 0;
      if (batch.length === items || (batch.length > 0 && sum > size)) break;
      seen++;
      (isNext ? batch : later).push(request);
      keys.add(key);
    }
    this.waiting = [...later, ...this.waiting.slice(seen)];
    return batch;
  }
}

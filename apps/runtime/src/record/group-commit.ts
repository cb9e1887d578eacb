interface Asked<Ask, Answer> {
  ask: Ask;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/** What one commit holds at most; of what alone is more there is one. */
interface Most {
  asks?: number;
  size?: number;
}

/** Gathers what is asked for while the batch before is under way, so that many share one commit and one alone waits for nobody. */
export class GroupCommit<Ask, Answer> {
  private waiting: Asked<Ask, Answer>[] = [];
  private busy = false;

  constructor(
    private readonly commit: (asks: Ask[]) => Promise<Answer[]>,
    /** Two of one key go into different batches, in order: a statement changes a row once. */
    private readonly keyOf: (ask: Ask) => string,
    private readonly most: Most = {},
    /** In the unit of `most.size`. */
    private readonly sizeOf: (ask: Ask) => number = () => 0,
  ) {}

  ask(ask: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ ask, resolve, reject });
      if (!this.busy) void this.flush();
    });
  }

  private async flush(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      const batch = this.nextBatch();
      try {
        const answers = await this.commit(batch.map(({ ask }) => ask));
        for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer);
      } catch (error) {
        if (batch.length === 1) batch[0]?.reject(error);
        else await this.oneByOne(batch);
      }
    }
    this.busy = false;
  }

  /** One of them is at fault; the others must not fail with it. */
  private async oneByOne(batch: readonly Asked<Ask, Answer>[]): Promise<void> {
    for (const { ask, resolve, reject } of batch) {
      try {
        resolve((await this.commit([ask]))[0] as Answer);
      } catch (error) {
        reject(error);
      }
    }
  }

  private nextBatch(): Asked<Ask, Answer>[] {
    const keys = new Set<string>();
    const batch: Asked<Ask, Answer>[] = [];
    const later: Asked<Ask, Answer>[] = [];
    const { asks = 500, size = Number.POSITIVE_INFINITY } = this.most;
    let [seen, sum] = [0, 0];
    for (const asked of this.waiting) {
      const key = this.keyOf(asked.ask);
      const isNext = !keys.has(key);
      sum += isNext ? this.sizeOf(asked.ask) : 0;
      if (batch.length === asks || (batch.length > 0 && sum > size)) break;
      seen++;
      (isNext ? batch : later).push(asked);
      keys.add(key);
    }
    this.waiting = [...later, ...this.waiting.slice(seen)];
    return batch;
  }
}

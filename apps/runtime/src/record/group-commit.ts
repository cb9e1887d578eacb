/** Gathers what is asked for while the batch before is under way, so that many share one commit and one alone waits for nobody. */
export class GroupCommit<Ask extends { key: string }, Answer> {
  private waiting: { ask: Ask; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
  private busy = false;

  constructor(
    private readonly commit: (asks: Ask[]) => Promise<Answer[]>,
    private readonly most = 500,
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
      const batch = this.take();
      try {
        const answers = await this.commit(batch.map((one) => one.ask));
        batch.forEach((one, index) => one.resolve(answers[index] as Answer));
      } catch (error) {
        if (batch.length === 1) batch[0]?.reject(error);
        else await this.oneByOne(batch);
      }
    }
    this.busy = false;
  }

  /** One of them is at fault; the others must not fail with it. */
  private async oneByOne(batch: typeof this.waiting): Promise<void> {
    for (const { ask, resolve, reject } of batch) {
      try {
        resolve((await this.commit([ask]))[0] as Answer);
      } catch (error) {
        reject(error);
      }
    }
  }

  /** Two of one key go into different batches, in order: a statement changes a row once. */
  private take(): typeof this.waiting {
    const keys = new Set<string>();
    const batch: typeof this.waiting = [];
    const later: typeof this.waiting = [];
    for (const one of this.waiting) {
      if (batch.length < this.most && !keys.has(one.ask.key)) batch.push(one);
      else later.push(one);
      keys.add(one.ask.key);
    }
    this.waiting = later;
    return batch;
  }
}

// Which task is sent next (DESIGN E14): one of the highest priority; of those one of the person who was served longest ago; of that
// person's one of the run that was. What was served is remembered, because a queue that is worked out anew each time there is room would
// begin with the same task.

/** What decides about a task's turn. */
export interface Shared {
  priority: number;
  submitter: string;
  run_id: string;
}

const REMEMBERED = 20_000;

export class FairShare {
  private served = new Map<string, number>();
  private count = 0;

  /** Up to `most` of the tasks of one route, in the order in which they are sent. @param waiting the tasks, those of each run in their order */
  pick<Task extends Shared>(route: string, waiting: readonly Task[], most: number): Task[] {
    const left = [...waiting];
    const picked: Task[] = [];
    while (picked.length < most && left.length > 0) {
      const next = left.reduce((best, task) => (this.isBefore(route, task, best) ? task : best));
      left.splice(left.indexOf(next), 1);
      picked.push(next);
      this.serve(person(route, next));
      this.serve(next.run_id);
    }
    return picked;
  }

  private isBefore(route: string, task: Shared, best: Shared): boolean {
    if (task.priority !== best.priority) return task.priority > best.priority;
    if (task.submitter !== best.submitter) return this.last(person(route, task)) < this.last(person(route, best));
    return this.last(task.run_id) < this.last(best.run_id);
  }

  private last(key: string): number {
    return this.served.get(key) ?? 0;
  }

  private serve(key: string): void {
    if (this.served.size >= REMEMBERED) this.served.clear();
    this.served.set(key, ++this.count);
  }
}

const person = (route: string, { submitter }: Shared): string => `${route}\n${submitter}`;

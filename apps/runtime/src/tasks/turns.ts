// Whose task goes next (DESIGN E14): the highest priority, then the person who was served longest ago, then that one's run that was.
// What was served is remembered here, because a line that is worked out anew each time a place is free would begin with the same one.

export interface Waiting {
  priority: number;
  submitter: string;
  run_id: string;
}

const REMEMBERED = 20_000;

export class Turns {
  private served = new Map<string, number>();
  private count = 0;

  /** Up to `most` of those that wait for one route, in the order in which they go. @param waiting each run's in their order */
  pick<One extends Waiting>(route: string, waiting: readonly One[], most: number): One[] {
    const left = [...waiting];
    const picked: One[] = [];
    while (picked.length < most && left.length > 0) {
      const next = left.reduce((best, one) => (this.isBefore(route, one, best) ? one : best));
      left.splice(left.indexOf(next), 1);
      picked.push(next);
      this.serve(person(route, next));
      this.serve(next.run_id);
    }
    return picked;
  }

  private isBefore(route: string, one: Waiting, best: Waiting): boolean {
    if (one.priority !== best.priority) return one.priority > best.priority;
    if (one.submitter !== best.submitter) return this.last(person(route, one)) < this.last(person(route, best));
    return this.last(one.run_id) < this.last(best.run_id);
  }

  private last(key: string): number {
    return this.served.get(key) ?? 0;
  }

  private serve(key: string): void {
    if (this.served.size >= REMEMBERED) this.served.clear();
    this.served.set(key, ++this.count);
  }
}

const person = (route: string, { submitter }: Waiting): string => `${route}\n${submitter}`;

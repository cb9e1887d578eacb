/** So many at once, and so many a second after that. */
export class Rate {
  private left: number;
  private at = Date.now();

  constructor(private readonly limit: { perSecond: number; atOnce: number }) {
    this.left = limit.atOnce;
  }

  /** Counts one more. Returns for how many milliseconds it has to wait: each that waits has a moment of its own. */
  count(): number {
    const { perSecond, atOnce } = this.limit;
    const now = Date.now();
    this.left = Math.min(atOnce, this.left + (Math.max(0, now - this.at) * perSecond) / 1000) - 1;
    this.at = now;
    return this.left >= 0 ? 0 : (-this.left * 1000) / perSecond;
  }
}

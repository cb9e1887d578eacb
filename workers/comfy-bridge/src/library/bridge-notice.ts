// That the bridge is there and which library holds. It is forgotten soon, so that it is renewed whatever else goes on.
export interface BridgeNoticeParts<Held> {
  /** Hands over what has changed, which may take minutes over a slow connection. */
  handOver: () => Promise<Held>;
  /** @param held what was handed over last; undefined before anything was */
  announce: (held: Held | undefined) => Promise<void>;
  log: (line: string) => void;
}

export class BridgeNotice<Held> {
  private held: Held | undefined;
  private handing: Promise<void> | undefined;

  constructor(private readonly parts: BridgeNoticeParts<Held>) {}

  /**
   * Begins to hand over, if nothing is being handed over, and announces what holds then.
   * @param patience resolves when that which is being handed over is waited for no longer
   */
  async renew(patience: Promise<unknown>): Promise<void> {
    this.handing ??= this.handOver();
    await Promise.race([this.handing, patience]);
    await this.parts.announce(this.held);
  }

  private async handOver(): Promise<void> {
    try {
      this.held = await this.parts.handOver();
    } catch (error) {
      this.parts.log(`the library could not be handed over: ${String(error)}`);
    } finally {
      this.handing = undefined;
    }
  }
}

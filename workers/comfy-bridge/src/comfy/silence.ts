// Who says nothing for so long is silent, and whoever waits for it is to know.

/** A server that takes so long to do anything is said to be silent. */
export const SILENT_MS = 5000;

export type OnSilence = (isSilent: boolean) => void;

/** Of one exchange with a server. */
export class ExchangeListener {
  private timer: NodeJS.Timeout | undefined;
  private isSilent = false;

  constructor(private readonly onSilence: OnSilence = () => {}) {}

  /** It is the server's turn. */
  wait(): void {
    this.timer ??= setTimeout(() => {
      this.isSilent = true;
      this.onSilence(true);
    }, SILENT_MS);
  }

  /** The server did something, or nobody waits for it. */
  rest(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.isSilent) return;
    this.isSilent = false;
    this.onSilence(false);
  }
}

/** For exchanges that go on side by side: silence while one of them is silent. */
export function sharedSilence(onSilence: OnSilence): () => OnSilence {
  const silent = new Set<object>();
  return () => {
    const own = {};
    return (isSilent) => {
      const was = silent.size > 0;
      if (isSilent) silent.add(own);
      else silent.delete(own);
      if (was !== silent.size > 0) onSilence(silent.size > 0);
    };
  };
}

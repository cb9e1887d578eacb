// What a page counts for a test; `instruments` runs in the page before anything else does.
/** What a page counts for the tests, and a clock of its own that they can stop. */
export interface Instruments {
  sockets: WebSocket[];
  /** Listeners on the window and the document, and intervals, that are there now. */
  held: Map<string, number>;
  discoveries: number;
  stoppedAt: number | undefined;
}
export function instruments(): void {
  const made: Instruments = { sockets: [], held: new Map(), discoveries: 0, stoppedAt: undefined };
  Object.assign(window, { instruments: made });
  const count = (key: string, by: number) => made.held.set(key, (made.held.get(key) ?? 0) + by);
  const { now } = Date;
  Date.now = () => made.stoppedAt ?? now();
  window.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      made.sockets.push(this);
    }
  };
  for (const target of [window, document] as EventTarget[]) {
    const { addEventListener, removeEventListener } = target;
    const known = new Map<unknown, Set<string>>();
    target.addEventListener = (type: string, listener: never, options?: never) => {
      const types = known.get(listener) ?? new Set();
      known.set(listener, types);
      if (!types.has(`${type} ${JSON.stringify(options)}`)) count(type, 1);
      types.add(`${type} ${JSON.stringify(options)}`);
      addEventListener.call(target, type, listener, options);
    };
    target.removeEventListener = (type: string, listener: never, options?: never) => {
      if (known.get(listener)?.delete(`${type} ${JSON.stringify(options)}`)) count(type, -1);
      removeEventListener.call(target, type, listener, options);
    };
  }
  const { setInterval, clearInterval } = window;
  const intervals = new Set<unknown>();
  Object.assign(window, {
    setInterval: (...args: Parameters<typeof setInterval>) => {
      const id = setInterval(...args);
      intervals.add(id);
      count("interval", 1);
      return id;
    },
    clearInterval: (id: number) => {
      if (intervals.delete(id)) count("interval", -1);
      clearInterval(id);
    },
  });
  for (const owner of [Document.prototype, Element.prototype]) {
    const { querySelectorAll } = owner;
    owner.querySelectorAll = function (this: Document & Element, selector: string) {
      if (selector.includes("data-discover")) made.discoveries++;
      return querySelectorAll.call(this, selector);
    } as never;
  }
}

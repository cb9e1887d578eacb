// A TCP proxy that misbehaves as networks do: latency, cuts, black holes, and replies that are lost after the request was carried out.
import { createServer, type Server, type Socket, connect as tcp } from "node:net";
import { random as seeded } from "../../packages/graph-model/src/random.testing.ts";

export interface Weather {
  /** Added to each direction. */
  latencyMs?: number;
  /** Nothing comes through any more; connections from now stay open and deaf for ever, as when a router forgot them. */
  blackHole?: boolean;
  /** New connections are refused, open ones are cut. */
  down?: boolean;
  /** Share of the replies that are dropped with their connection, after the other side has acted. */
  dropReplies?: number;
}

export class FaultProxy {
  /** How many replies were dropped. */
  dropped = 0;
  private weather: Weather = {};
  private readonly pairs = new Set<[Socket, Socket]>();
  private readonly deaf = new WeakSet<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly upstream: URL,
    private readonly random: () => number,
  ) {}

  /** @param seed decides which replies are dropped */
  static async start(upstream: string, seed = 1): Promise<FaultProxy> {
    const server = createServer();
    const proxy = new FaultProxy(server, new URL(upstream), seeded(seed));
    server.on("connection", (socket) => proxy.serve(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** The upstream's URL with this proxy's address. */
  get url(): string {
    const url = new URL(this.upstream);
    url.port = String((this.server.address() as { port: number }).port);
    return url.href.replace(/\/$/, "");
  }

  set(weather: Weather): void {
    this.weather = weather;
    if (weather.blackHole) for (const pair of this.pairs) for (const socket of pair) this.deaf.add(socket);
    if (weather.down) for (const pair of this.pairs) this.cut(pair);
  }

  async stop(): Promise<void> {
    for (const pair of this.pairs) this.cut(pair);
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private serve(near: Socket): void {
    if (this.weather.down) return void near.resetAndDestroy();
    const far = tcp(Number(this.upstream.port), this.upstream.hostname);
    const pair: [Socket, Socket] = [near, far];
    this.pairs.add(pair);
    if (this.weather.blackHole) for (const socket of pair) this.deaf.add(socket);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", () => this.cut(pair));
      socket.on("close", () => this.cut(pair));
    }
    near.on("data", (chunk) => this.pass(chunk, far));
    far.on("data", (chunk) => {
      if (this.random() < (this.weather.dropReplies ?? 0)) {
        this.dropped++;
        this.cut(pair);
      } else this.pass(chunk, near);
    });
  }

  private pass(chunk: Buffer, to: Socket): void {
    if (this.deaf.has(to)) return;
    const { latencyMs = 0 } = this.weather;
    if (latencyMs === 0) to.write(chunk);
    else setTimeout(() => to.writable && to.write(chunk), latencyMs);
  }

  private cut(pair: [Socket, Socket]): void {
    this.pairs.delete(pair);
    for (const socket of pair) socket.destroy();
  }
}

// A ComfyUI that means harm: the fake one behind a door that answers some calls as it likes, and says on its sockets what nobody asked for.
import { request as ask, createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";

type Answer = (response: ServerResponse) => void | Promise<void>;

export class HostileComfy {
  /** How it answers a call, as `METHOD /path`; undefined: as ComfyUI does. */
  answers: (call: string) => Answer | undefined = () => undefined;
  /** What it says on each socket, instead of ComfyUI's words. */
  talk: ((socket: WebSocket) => void) | undefined;
  private readonly sockets = new WebSocketServer({ noServer: true });

  private constructor(
    readonly fake: FakeComfy,
    private readonly server: Server,
  ) {
    server.on("request", (request, response) => this.answer(request, response));
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => {});
      const { talk } = this;
      if (talk) return this.sockets.handleUpgrade(request, socket, head, (opened) => talk(opened.on("error", () => {})));
      const inner = connect(fake.port, "127.0.0.1");
      inner.on("error", () => socket.destroy());
      const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
      inner.write(`GET ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      inner.write(head);
      inner.pipe(socket).pipe(inner);
    });
  }

  static async start(): Promise<HostileComfy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new HostileComfy(await FakeComfy.start(), server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** As ComfyUI answers again. */
  repent(): void {
    this.answers = () => undefined;
    this.talk = undefined;
    for (const socket of this.sockets.clients) socket.terminate();
  }

  async stop(): Promise<void> {
    this.repent();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    await this.fake.stop();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    response.on("error", () => {});
    const [path = ""] = (request.url ?? "").split("?");
    const hostile = this.answers(`${request.method} ${path}`);
    if (hostile) {
      request.resume();
      void hostile(response);
      return;
    }
    const inner = ask(
      { port: this.fake.port, host: "127.0.0.1", path: request.url, method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    inner.on("error", () => response.destroy());
    request.pipe(inner);
  }
}

/** An answer of so many bytes, all of one text. */
export const longAnswer =
  (bytes: number): Answer =>
  async (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write('"');
    const part = "x".repeat(2 ** 16);
    for (let left = bytes; left > 0 && !response.destroyed; left -= part.length)
      if (!response.write(part)) await new Promise((resolve) => response.once("drain", resolve));
    response.end('"');
  };

export const jsonAnswer =
  (value: unknown, status = 200): Answer =>
  (response) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value) ?? "");

// Sockets of a document that another runtime on the same database has (docs/decisions/0036): they are led to it, byte by byte.
import { createHmac, timingSafeEqual } from "node:crypto";
import { request as ask, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type Author, authorOf } from "../collab/clients.ts";
import type { DocumentLeases, Runtime } from "../collab/document-leases.ts";

/** By which a runtime knows what another one leads to it, and whose it is. */
const HEADER = "x-spindle-forwarded";
/** The clocks of two machines may differ. */
const LASTS_MS = 5 * 60_000;
const PATIENCE_MS = 5000;

/** Who opens a socket. */
export interface Visitor {
  principal: string;
  author: Author;
}

interface Claim {
  principal: string;
  names: string[];
  path: string;
  until: number;
}

export class Forwarding {
  private readonly pipes = new Map<Duplex, string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly secret: Buffer,
    private readonly leases: Pick<DocumentLeases, "living">,
    /** A runtime is taken for dead that does not renew its lease for so long. */
    private readonly leaseMs: number,
    private readonly onError: (where: string, error: unknown) => void,
  ) {}

  /** Who opens a socket that another runtime leads here; nothing if none does. */
  visitorOf({ headers, url }: Pick<IncomingMessage, "headers" | "url">): Visitor | undefined {
    const [text = "", sign = ""] = String(headers[HEADER] ?? "").split(".");
    const [given, right] = [Buffer.from(sign), Buffer.from(this.sign(text))];
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const { principal, names, path, until } = JSON.parse(Buffer.from(text, "base64url").toString()) as Claim;
    const [name, ...others] = names;
    return name !== undefined && path === url && Date.now() < until ? { principal, author: authorOf(name, ...others) } : undefined;
  }

  /** @param path of the request, which begins with the name of its route */
  forward(owner: Runtime, path: string, request: IncomingMessage, socket: Duplex, head: Buffer, { principal, author }: Visitor): void {
    const claim: Claim = { principal, names: [...author.names], path, until: Date.now() + LASTS_MS };
    const text = Buffer.from(JSON.stringify(claim)).toString("base64url");
    const { hostname, port } = new URL(owner.url);
    const upstream = ask({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port,
      path,
      headers: { ...request.headers, [HEADER]: `${text}.${this.sign(text)}` },
      timeout: PATIENCE_MS,
    });
    const refuse = (status: string) => socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`, () => socket.destroy());
    socket.once("close", () => upstream.destroy());
    upstream.once("timeout", () => upstream.destroy(new Error("It does not answer.")));
    // Its lease ends soon, or it is back: the page tries again.
    upstream.once("error", () => refuse("503 Service Unavailable"));
    upstream.once("response", (response) => {
      response.resume();
      refuse(`${response.statusCode} ${response.statusMessage}`);
    });
    upstream.once("upgrade", (response, peer, first) => {
      peer.setTimeout(0);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${linesOf(response.rawHeaders)}\r\n`);
      if (first.length > 0) socket.write(first);
      if (head.length > 0) peer.write(head);
      for (const [from, to] of [
        [peer, socket],
        [socket, peer],
      ] as const) {
        from.on("error", () => {});
        from.once("close", () => to.destroy());
        from.pipe(to);
      }
      this.watch(socket, owner.id);
    });
    upstream.end();
  }

  stop(): void {
    clearInterval(this.timer);
    for (const socket of this.pipes.keys()) socket.destroy();
  }

  /** A runtime that hangs closes nothing: once its lease is over, its pages find the document elsewhere. */
  private watch(socket: Duplex, owner: string): void {
    this.pipes.set(socket, owner);
    socket.once("close", () => {
      this.pipes.delete(socket);
      if (this.pipes.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    });
    const check = async () => {
      const living = await this.leases.living();
      for (const [each, id] of this.pipes) if (!living.has(id)) each.destroy();
    };
    this.timer ??= setInterval(() => void check().catch((error) => this.onError("forwarding", error)), this.leaseMs / 2);
  }

  private sign(text: string): string {
    return createHmac("sha256", this.secret).update(`forwarded:${text}`).digest("base64url");
  }
}

function linesOf(headers: readonly string[]): string {
  let lines = "";
  for (let at = 0; at < headers.length; at += 2) lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return lines;
}

// A server's door, knocked on badly: what is sent as it is, and what the runtime still holds open afterwards.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { type Spindle, until } from "./spindle.ts";

export const BOUNDARY = "boundary";
export const partHead = (name: string, file = "a.bin"): string =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="${file}"\r\n\r\n`;

export class Door {
  readonly port: number;

  constructor(private readonly spindle: Spindle) {
    this.port = Number(new URL(spindle.url).port);
  }

  async status(path: string, init: RequestInit = {}): Promise<number> {
    const answer = await fetch(this.spindle.url + path, { ...init, headers: { connection: "close", ...init.headers } });
    await answer.arrayBuffer();
    return answer.status;
  }

  /** Asks so often that the pool of connections to PostgreSQL is full: the descriptors that are open then stay. */
  async warm(): Promise<void> {
    await Promise.all(Array.from({ length: 40 }, () => this.status("/api/jobs")));
  }

  get folder(): string {
    return join(this.spindle.home, "uploads");
  }

  /** The files of uploads that are under way. */
  files(): string[] {
    return existsSync(this.folder) ? readdirSync(this.folder) : [];
  }

  /** What the runtime holds open. */
  descriptors(): { all: number; uploads: number } {
    const folder = `/proc/${this.spindle.processes.runtime?.pid}/fd`;
    const targets = readdirSync(folder).flatMap((file) => {
      try {
        return [readlinkSync(join(folder, file))];
      } catch {
        return []; // closed meanwhile
      }
    });
    return { all: targets.length, uploads: targets.filter((target) => target.startsWith(this.folder)).length };
  }

  /** Connections of the runtime's port that still stand, at either end. */
  connections(): number {
    const hex = this.port.toString(16).toUpperCase().padStart(4, "0");
    const lines = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
    return lines.filter((line) => line.split(/\s+/)[2]?.endsWith(`:${hex}`) && line.split(/\s+/)[4] === "01").length;
  }

  /** Does something hostile, and sees that every descriptor comes back. */
  async leavesNothing(act: () => Promise<unknown>): Promise<void> {
    await until(async () => this.connections() === 0, 10_000, "earlier connections are closed");
    const before = this.descriptors().all;
    const { pid } = this.spindle.processes.runtime ?? {};
    await act();
    const isBack = () => this.descriptors().all <= before && this.descriptors().uploads === 0;
    await until(async () => isBack(), 10_000, `${before} descriptors are open again`).catch((error) => {
      throw new Error(`${error.message} ${JSON.stringify(this.descriptors())}`);
    });
    expect(this.files()).toEqual([]);
    expect(await this.status("/health")).toBe(200);
    expect(this.spindle.processes.runtime?.pid, this.spindle.processes.runtime?.lastLines.join("\n")).toBe(pid);
  }

  async open(): Promise<Socket> {
    const socket = connect(this.port, "127.0.0.1");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    return socket;
  }

  /** Sends text as it is; returns the first line of the answer, "" if the connection is closed without one. */
  async send(text: string | Buffer): Promise<string> {
    const socket = await this.open();
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.write(text);
    await new Promise((resolve) => socket.once("close", resolve));
    return Buffer.concat(chunks).toString("latin1").split("\r\n")[0] ?? "";
  }

  /** The head of a POST of a form, with the length that it promises. */
  postHead(length: number | "chunked", path = "/api/artifacts"): string {
    const promised = length === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
    return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n${promised}\r\n\r\n`;
  }
}

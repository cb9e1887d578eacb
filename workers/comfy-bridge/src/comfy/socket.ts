// One WebSocket to one ComfyUI for one prompt. What it says is a hint: messages are neither kept nor repeated by the server.
import { EventEmitter } from "node:events";
import WebSocket from "ws";
import { ComfyAnswer } from "./answers.ts";
import { decodeFrame, type SocketFrame } from "./frames.ts";
import type { ComfyHttp } from "./http.ts";
import { decodeMessage, type Message } from "./messages.ts";

const FEATURES_WAIT_MS = 1000;
const OPEN_TIMEOUT_MS = 10_000;
const CLOSE_WAIT_MS = 1000;
const MAX_FRAME = 64 * 1024 * 1024;

export interface SocketEvents {
  message: [Message];
  frame: [SocketFrame];
  /** Something that is neither; only counted. */
  unreadable: [];
  lost: [];
}

export class ComfySocket extends EventEmitter<SocketEvents> {
  private readonly socket: WebSocket;
  /** When the server last said anything. */
  heardAt = Date.now();
  unreadable = 0;
  private closing = false;

  private constructor(url: string, headers: ComfyHttp["server"]["login"]) {
    super();
    this.socket = new WebSocket(url, { headers, maxPayload: MAX_FRAME, handshakeTimeout: OPEN_TIMEOUT_MS, perMessageDeflate: false });
    this.socket.on("error", () => {}); // the event `close` follows
    this.socket.on("close", () => this.closing || this.emit("lost"));
    this.socket.on("message", (data, isBinary) => this.read(data as Buffer, isBinary));
  }

  /**
   * Opens a socket and says that previews may come with their node. An old server does not answer that; then they come without.
   * Two sockets of one client id end each other, so an old one must be closed first.
   * @throws Error if there is no server, or it refuses
   */
  static async open({ url, login }: ComfyHttp["server"], client: string): Promise<ComfySocket> {
    const made = new ComfySocket(`${url.replace(/^http/, "ws")}/ws?clientId=${encodeURIComponent(client)}`, login);
    await new Promise<void>((resolve, reject) => {
      made.socket.once("open", resolve);
      made.socket.once("error", (error) => {
        const status = /^Unexpected server response: (\d+)$/.exec(error.message)?.[1];
        reject(status === undefined ? error : new ComfyAnswer(Number(status), "", "the socket"));
      });
      made.socket.once("close", () => reject(new Error("ComfyUI closed the socket.")));
    });
    made.socket.send(JSON.stringify({ type: "feature_flags", data: { supports_preview_metadata: true } }));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FEATURES_WAIT_MS);
      const onFeatures = (message: Message) => {
        if (message.type !== "features") return;
        clearTimeout(timer);
        made.off("message", onFeatures);
        resolve();
      };
      made.on("message", onFeatures);
    });
    return made;
  }

  async close(): Promise<void> {
    this.closing = true;
    if (this.socket.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.socket.terminate();
        resolve();
      }, CLOSE_WAIT_MS);
      this.socket.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      this.socket.close();
    });
  }

  private read(data: Buffer, isBinary: boolean): void {
    this.heardAt = Date.now();
    if (isBinary) {
      const frame = decodeFrame(data);
      if (frame) this.emit("frame", frame);
      else this.miss();
      return;
    }
    const message = decodeMessage(data.toString("utf8"));
    if (message) this.emit("message", message);
  }

  private miss(): void {
    this.unreadable++;
    this.emit("unreadable");
  }
}

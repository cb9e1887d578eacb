// What comes to the fake ComfyUI over HTTP, read.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Faults } from "./faults.ts";
import type { JsonObject, Prompt } from "./program.ts";

export async function requestBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The one file of an upload. */
export function uploadOf(request: IncomingMessage, body: Buffer): { name: string; subfolder: string; bytes: Buffer } {
  const boundary = /boundary=(.+)$/.exec(request.headers["content-type"] ?? "")?.[1] ?? "";
  const parts = body.toString("latin1").split(`--${boundary}`);
  const field = (name: string) => parts.find((part) => part.includes(`name="${name}"`));
  const content = (part = "") => Buffer.from(part.slice(part.indexOf("\r\n\r\n") + 4, -2), "latin1");
  const name = /filename="([^"]+)"/.exec(field("image") ?? "")?.[1] ?? "file";
  return { name, subfolder: content(field("subfolder")).toString("utf8"), bytes: content(field("image")) };
}

export function missingNode(id: string, { class_type }: Prompt[string]): JsonObject {
  const message = `Cannot execute because node ${class_type} does not exist.`;
  const extra_info = { node_id: id, class_type, node_title: class_type };
  return { error: { type: "missing_node_type", message, details: `Node ID '#${id}'`, extra_info }, node_errors: {} };
}

export function demandLogin({ login }: Faults, response: ServerResponse): void {
  if (login === "page") response.writeHead(200, { "content-type": "text/html" }).end("<html>Log in</html>");
  else if (login === "redirect") response.writeHead(302, { location: "https://login.example/?secret=1" }).end();
  else response.writeHead(401).end();
}

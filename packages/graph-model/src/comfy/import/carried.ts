// The workflow that ComfyUI writes into what it makes: a PNG's text chunks, a WebP's EXIF, the metadata of MP4, WebM, FLAC and
// others. In a PNG it has its place; elsewhere places differ by node and pack, so the JSON itself is looked for.

import { jsonOfPython } from "@spindle/schemas/python-json";
import { LIMITS } from "../../limits.ts";

const decoder = new TextDecoder("utf-8", { fatal: false });
const latin1 = new TextDecoder("latin1");

/** Metadata is at either end; between them are the pictures. */
const SEARCHED = 4 * 1024 * 1024;
/** What a workflow has near its start or anywhere, and nothing else would. */
const UI_MARK = /"(last_node_id|last_link_id|lastNodeId)"/;
const API_MARK = /"class_type"/;
const MAX_CANDIDATES = 200;

/** JSON text, the editor's format before the API's, with the other one where there are both; not yet checked in any way. */
export function extractWorkflow(file: Uint8Array): string | undefined {
  if (latin1.decode(file.subarray(1, 4)) === "PNG") {
    const texts = pngTexts(file);
    return together(read(texts.get("workflow")), read(texts.get("prompt")));
  }
  const isMedia =
    ["ftyp", "WEBP", "fLaC", "OggS", "ID3"].some((mark) => latin1.decode(file.subarray(0, 16)).includes(mark)) || file[0] === 0x1a;
  if (!isMedia) return undefined;
  const ends = file.length > 2 * SEARCHED ? [file.subarray(0, SEARCHED), file.subarray(file.length - SEARCHED)] : [file];
  const found = ends.flatMap((part) => jsonIn(decoder.decode(part)));
  return together(
    found.find((one) => UI_MARK.test(one)),
    found.find((one) => API_MARK.test(one) && !UI_MARK.test(one)),
  );
}

const read = (text: string | undefined): string | undefined => text && jsonOfPython(text);

/** Both, so that an import can say where they disagree; the one of the editor alone where they are no JSON, or more than a document may be. */
function together(workflow: string | undefined, prompt: string | undefined): string | undefined {
  if (workflow === undefined || prompt === undefined) return workflow ?? prompt;
  const both = `{"workflow":${workflow},"prompt":${prompt}}`;
  try {
    JSON.parse(both);
  } catch {
    return workflow;
  }
  return new TextEncoder().encode(both).length > LIMITS.bytes ? workflow : both;
}

/** `tEXt` and uncompressed `iTXt` (PNG specification, third edition, 11.3.3). */
function pngTexts(file: Uint8Array): Map<string, string> {
  const found = new Map<string, string>();
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 8; at + 12 <= file.length; ) {
    const length = view.getUint32(at);
    const type = latin1.decode(file.subarray(at + 4, at + 8));
    const body = file.subarray(at + 8, at + 8 + length);
    const end = body.indexOf(0);
    if (end > 0 && type === "tEXt") found.set(latin1.decode(body.subarray(0, end)), decoder.decode(body.subarray(end + 1)));
    if (end > 0 && type === "iTXt" && body[end + 1] === 0) {
      const language = body.indexOf(0, end + 3);
      const translated = body.indexOf(0, language + 1);
      if (language > 0 && translated > 0) found.set(latin1.decode(body.subarray(0, end)), decoder.decode(body.subarray(translated + 1)));
    }
    at += 12 + length;
  }
  return found;
}

/** Whole JSON objects in a text that is mostly something else; those inside a string of JSON (a `comment` tag) too. */
function jsonIn(text: string): string[] {
  const found: string[] = [];
  let tries = 0;
  for (let at = text.indexOf('{"'); at >= 0 && tries < MAX_CANDIDATES; at = text.indexOf('{"', at + 1)) {
    tries++;
    const end = objectEnd(text, at);
    if (end === undefined) continue;
    const json = jsonOfPython(text.slice(at, end));
    if (UI_MARK.test(json) || API_MARK.test(json)) found.push(...opened(json));
    at = end - 1;
  }
  return found;
}

/** `{"prompt": "...", "workflow": {...}}` as VideoHelperSuite writes it, or the workflow itself. */
function opened(text: string): string[] {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const inner = [value.workflow, value.prompt].filter((one) => one !== undefined);
    return inner.length > 0 ? inner.map((one) => (typeof one === "string" ? jsonOfPython(one) : JSON.stringify(one))) : [text];
  } catch {
    return [];
  }
}

function objectEnd(text: string, start: number): number | undefined {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === "\\") at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{") depth++;
    else if (char === "}" && --depth === 0) return at + 1;
  }
  return undefined;
}

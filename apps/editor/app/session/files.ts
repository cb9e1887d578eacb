import { extractGraph, extractWorkflow } from "@spindle/graph-model";
import type { ArtifactRef } from "@spindle/schemas";
import { useRunStore } from "./run-store";

export const artifactUrl = (ref: { artifact: string }): string => `/api/artifacts/${ref.artifact}`;
/** The address of a download with the graph of the shown run inside; many runs may have the same result. */
export const downloadUrl = (ref: { artifact: string }, run = useRunStore.getState().run?.id): string =>
  `/api/artifacts/${ref.artifact}/download${run ? `?run=${run}` : ""}`;

export function isArtifact(value: unknown): value is ArtifactRef {
  return value !== null && typeof value === "object" && "artifact" in value && "sha256" in value;
}

/** @throws Error with the server's reason */
export async function upload(file: Blob, name: string, kind: string): Promise<ArtifactRef> {
  const form = new FormData();
  form.set("file", file, name);
  const answer = await fetch(`/api/artifacts?kind=${encodeURIComponent(kind)}`, { method: "POST", body: form });
  const body = (await answer.json()) as ArtifactRef & { error?: { message: string } };
  if (!answer.ok) throw new Error(body.error?.message.replace(/^file: /, "") ?? `The upload was answered ${answer.status}.`);
  return body;
}

/** Downloads what the server answers. @throws Error with the server's reason */
export async function downloadFrom(address: string): Promise<void> {
  const answer = await fetch(address);
  if (!answer.ok) {
    const body = (await answer.json().catch(() => ({}))) as { error?: { message: string } };
    throw new Error(body.error?.message ?? `The download was answered ${answer.status}.`);
  }
  const [, name] = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "") ?? [];
  saveFile(await answer.blob(), name ?? "download");
}

export function saveFile(bytes: Blob, name: string): void {
  const url = URL.createObjectURL(bytes);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** The graph or ComfyUI workflow in a file: JSON text, or a picture, video or sound that carries one. @throws Error that says there is none */
export async function graphTextOf(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const carried = extractGraph(bytes) ?? extractWorkflow(bytes);
  if (carried !== undefined) return carried;
  if (/\.json$/i.test(file.name) || file.type === "application/json" || bytes[0] === 0x7b) return new TextDecoder().decode(bytes);
  throw new Error(`${file.name} carries no graph.`);
}

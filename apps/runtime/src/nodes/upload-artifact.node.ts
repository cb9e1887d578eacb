import { type ArtifactRef, validateArtifactRef } from "@spindle/schemas";
import { probePicture } from "../artifacts/probe.ts";
import { defineNode, UserError } from "./capability.ts";

const MAX_BYTES = 50 * 1024 * 1024;

export default defineNode({
  id: "artifacts.upload_artifact",
  label: "Store artifact",
  description: "Keeps pictures, and a sound if there is one, in the object store and answers with their references.",
  version: "2025.02.0",
  category: "Artifacts",
  keywords: ["upload", "minio", "s3", "save"],
  idempotent: false,
  sideEffects: "persistent-storage-write",
  input: {
    type: "object",
    required: ["images"],
    properties: {
      images: { type: "array", title: "Images", minItems: 1, maxItems: 64, description: "References, or Base64 texts (data URLs too)." },
      audio: { type: "object", title: "Audio", "x-artifact": "audio" },
      metadata: { type: "object", title: "Metadata" },
    },
  },
  output: {
    type: "object",
    required: ["objects"],
    properties: { artifactId: { type: "string" }, objects: { type: "object", title: "Objects" } },
  },
  async run({ input, write, progress }) {
    const images: ArtifactRef[] = [];
    const list = input.images ?? [];
    for (const [index, image] of list.entries()) {
      images.push(validateArtifactRef(image) ? image : await write(...decode(image, index)));
      progress({ progress: (index + 1) / list.length });
    }
    return { artifactId: images[0]?.artifact ?? "", objects: { images, audio: input.audio ?? null } };
  },
});

function decode(value: unknown, index: number): [bytes: Buffer, file: { mime: string; name: string }] {
  const text = typeof value === "string" ? value.replace(/^data:[^,]*,/, "") : "";
  if (!text || !/^[A-Za-z0-9+/=\s]+$/.test(text)) throw new UserError(`Image ${index + 1} is neither a reference nor a Base64 text.`);
  const bytes = Buffer.from(text, "base64");
  if (bytes.length > MAX_BYTES) throw new UserError(`Image ${index + 1} has ${bytes.length} bytes; the limit is ${MAX_BYTES}.`);
  const found = probePicture(bytes);
  if ("why" in found) throw new UserError(`Image ${index + 1}: ${found.why}.`);
  return [bytes, { mime: found.mime, name: `image-${index + 1}` }];
}

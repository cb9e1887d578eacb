import { expect, test } from "vitest";
import { mediaKind } from "./media";

test.each([
  ["image/png", 9, "image"],
  ["audio/wav", 9, "audio"],
  ["video/mp4", 9, "video"],
  ["video/webm; codecs=vp9", 9, "video"],
  ["text/plain", 9, "text"],
  ["application/json", 9, "text"],
  ["text/plain", 1e6, "file"],
  ["model/gltf-binary", 9, "file"],
  ["image/tiff", 9, "file"],
  ["application/octet-stream", 9, "file"],
])("an artifact of type %s with %d bytes is shown as: %s", (mime, size, kind) => {
  expect(mediaKind({ mime, size })).toBe(kind);
});

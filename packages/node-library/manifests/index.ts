// The manifests as `npm run gen` last wrote them: the library before any worker has reported.
import type { PlaneManifest } from "@spindle/schemas";
import node from "./node.json" with { type: "json" };
import python from "./python.json" with { type: "json" };

export const committedManifests: { node: PlaneManifest; python: PlaneManifest } = {
  node: node as unknown as PlaneManifest,
  python: python as unknown as PlaneManifest,
};

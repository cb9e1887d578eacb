export { copyOf, DocumentTooLarge, EditRefused, EditUnfit, measure, replay, type StoredUpdate, Tried } from "./admit.ts";
export { inTurns, MOST_STORED_BYTES, ONE_STEP, ONE_UPDATE, type Steps, WHOLE_GRAPH } from "./apply.ts";
export type { Inside, ListName } from "./body.ts";
export * from "./commands.ts";
export { countParts } from "./decode.ts";
export { edgesOf, headOf, LAYOUT, layoutOf, nodesOf, rootsOf } from "./layout.ts";
export { isOutdated, LayoutUnknown, migrate } from "./migrate.ts";
export { type Normalised, normalise, reader } from "./normalise.ts";
export { SAVED, savedBy, savedOf, Unsaved } from "./saved.ts";

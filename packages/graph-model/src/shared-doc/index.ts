export { copyOf, EditRefused, EditUnfit, replay, type StoredUpdate, Tried } from "./admit.ts";
export type { Inside, ListName } from "./body.ts";
export * from "./commands.ts";
export { edgesOf, headOf, LAYOUT, layoutOf, nodesOf, rootsOf } from "./layout.ts";
export { isOutdated, LayoutUnknown, migrate } from "./migrate.ts";
export { type Normalised, normalise, reader } from "./normalise.ts";
export { SAVED, savedBy, savedOf, Unsaved } from "./saved.ts";

export { copyOf, EditRefused, replay, type StoredUpdate, Tried } from "./admit.ts";
export * from "./commands.ts";
export { edgesOf, headOf, nodesOf } from "./layout.ts";
export { type Normalised, normalise } from "./normalise.ts";
export { SAVED, savedBy, savedOf, Unsaved } from "./saved.ts";

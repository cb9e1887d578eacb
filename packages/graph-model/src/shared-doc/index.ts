export * from "./commands.ts";
export { edgesOf, headOf, nodesOf } from "./layout.ts";
export { type Normalised, normalise } from "./normalise.ts";

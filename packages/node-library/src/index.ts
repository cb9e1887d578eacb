export { withBlueprints, withoutNonCommercial } from "./blueprints.ts";
export { define } from "./definition.ts";
export { makeLibrary, searchOf } from "./library.ts";
export { joinManifests, mergeManifests, type PlaneReport, reportHolds } from "./merge.ts";

export { withBlueprints, withoutNonCommercial } from "./blueprints.ts";
export { define } from "./definition.ts";
export { makeLibrary, searchOf, withEntries } from "./library.ts";
export { type LibraryIndex, makeIndex } from "./library-index.ts";
export { joinManifests, joinVersions, mergeManifests, type PlaneReport, reportHolds } from "./merge.ts";
export { LIBRARY_ADDRESS, type LibraryCore, MOST_DEFINITIONS, makeCore, pageLibrary, withoutOffer } from "./page-library.ts";

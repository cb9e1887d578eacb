export { withBlueprints, withoutNonCommercial } from "./blueprints.ts";
export { define } from "./definition.ts";
export { makeLibrary, searchOf, withEntries } from "./library.ts";
export { type LibraryIndex, makeIndex } from "./library-index.ts";
export { joinManifests, joinReports, joinVersions, type KeptReport, mergeManifests, type PlaneReport, reportHolds } from "./merge.ts";
export { LIBRARY_ADDRESS, type LibraryCore, MOST_DEFINITIONS, makeCore, pageLibrary, withoutOffer } from "./page-library.ts";

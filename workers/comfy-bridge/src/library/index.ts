export { toCapability } from "./capability.ts";
export { mergeLibraries, readObjectInfo, type ServerLibrary } from "./merge.ts";

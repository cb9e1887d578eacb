export { ConditionError, type ConditionScope, holds, unitsSpent, withOneBudget } from "./cel.ts";
export { type AnswerForm, readAnswer } from "./check/answer.ts";
export { type ReadResult, readAnyText, readGraph, readGraphText } from "./check/document.ts";
export { CHECKED_FORMATS } from "./check/formats.ts";
export { whyInvalid } from "./check/invalid.ts";
export { whyUnfit, whyValueUnfit } from "./check/port-value.ts";
export { validate } from "./check/validate.ts";
export {
  asListed,
  blueprintEngine,
  blueprintInput,
  inWords,
  isEngineOf,
  modelBytes,
  modelsName,
  type ServerNode,
  serverOfEngine,
  whyNeverSent,
  whyNotThere,
} from "./comfy/blueprint.ts";
export { exportRegion } from "./comfy/export.ts";
export { extractWorkflow } from "./comfy/import/carried.ts";
export { type Imported, importComfy, isComfyFormat } from "./comfy/import/import.ts";
export {
  inputsOf,
  type OfferedWorkflow,
  offeredBlueprint,
  suggestedOffer,
  type WorkflowOffer,
  type WorkflowPlace,
  type WorkflowResult,
  whyNotOffered,
  workflowOf,
} from "./comfy/offer.ts";
export { isOutputNode, type RegionParts, regionInput, slotOf } from "./comfy/prompt.ts";
export { Condition } from "./condition.ts";
export { type Connectable, canConnect, wayOf, wiresForEach } from "./connect.ts";
export * from "./decide.ts";
export * from "./graph.ts";
export { givenByName, type InputSource, type Outputs, resolveInputs } from "./inputs.ts";
export * from "./interface.ts";
export { canonicalText, exportJson, stripState } from "./io/document.ts";
export { embedGraph, extractGraph } from "./io/embed.ts";
export { exportMermaid } from "./io/mermaid.ts";
export { drawGraph } from "./io/picture.ts";
export * from "./issue.ts";
export type { Level, ResolvedNode } from "./level.ts";
export * from "./library.ts";
export { checkLimits, ID_PATTERN, jsonBytes, LIMITS, OUTPUT_DEPTH, whyTooLarge } from "./limits.ts";
export { enginesNotLive, type NotLive } from "./live.ts";
export { nearest } from "./nearest.ts";
export { type Leaving, leavesOf } from "./one-of-many.ts";
export { originsIn } from "./origins.ts";
export { passedOn } from "./passed-on.ts";
export * from "./path.ts";
export * from "./plan.ts";
export * from "./ports.ts";
export { enginesAlone, type Split, serversOf } from "./regions.ts";
export { type Resolved, resolve, resolver } from "./resolve.ts";
export { CALL, definitionGraph, definitionNames, graphInside, isWholeDefinition, writtenDefinition } from "./subgraphs.ts";
export { mergedText, placeAfter, textChange } from "./text-change.ts";
export * from "./topology.ts";

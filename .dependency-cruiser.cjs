// Imports run one way (docs/decisions/0002): schemas <- graph-model <- node-library <- runtime, editor; schemas <- task-bus <- runtime,
// comfy-bridge.
/** The rooms of the editor from the lowest floor up; none knows of one above it, or beside it in the same list. */
const FLOORS = [["session"], ["ui"], ["canvas"], ["run"], ["inspector", "library"], ["screen"], ["pages"]];
const room = (name) => `^apps/editor/app/${name}/`;
const below = (floor) => FLOORS.slice(0, floor).flat();

const only = (name, from, to) => ({
  name,
  severity: "error",
  from: { path: from },
  to: { path: "^(schemas|packages|apps|workers|infra)/", pathNot: to },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    only("schemas-stand-alone", "^schemas/", "^schemas/"),
    only("graph-model", "^packages/graph-model/", "^(packages/graph-model|schemas)/"),
    only("node-library", "^packages/node-library/", "^(packages/(graph-model|node-library)|schemas)/"),
    only("task-bus", "^packages/task-bus/", "^(packages/task-bus|schemas)/"),
    only("comfy-bridge", "^workers/comfy-bridge/", "^(workers/comfy-bridge|packages/task-bus|schemas)/"),
    only("runtime", "^apps/runtime/", "^(apps/runtime|packages|schemas)/"),
    {
      ...only("editor", "^apps/editor/", "^(apps/editor|packages/(graph-model|node-library)|schemas|apps/runtime/src/api/router\\.ts$)"),
      comment: "of the runtime only the router's type",
    },
    ...FLOORS.flatMap((rooms, floor) =>
      rooms.map((name) => ({
        name: `editor-${name}`,
        severity: "error",
        from: { path: room(name) },
        to: { path: "^apps/editor/app/[^/]+/", pathNot: [...below(floor), name].map(room) },
      })),
    ),
    {
      name: "router-by-type",
      severity: "error",
      from: { path: "^apps/editor/" },
      to: { path: "^apps/runtime/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "graph-model-is-pure",
      severity: "error",
      from: { path: "^packages/graph-model/src", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "yjs-in-one-folder",
      severity: "error",
      from: { path: "^packages/graph-model/src", pathNot: "^packages/graph-model/src/shared-doc/" },
      to: { path: "node_modules/yjs" },
    },
    {
      name: "product-without-scaffolding",
      comment: "what only tests and the bench use says so in its name",
      severity: "error",
      from: { path: "^(apps|packages|workers)/.*/?(src|app)/", pathNot: "\\.(test|testing)\\.ts$" },
      to: { path: "\\.testing\\.ts$" },
    },
    {
      name: "infra-runs-processes",
      comment: "only the bench measures the engine from inside",
      severity: "error",
      from: { path: "^infra/(launch|setup|codegen)" },
      to: { path: "^apps/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(build|generated/internal)/|\\.test\\.ts$" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};

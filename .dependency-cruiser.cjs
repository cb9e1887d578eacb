// Imports run one way (docs/decisions/0002): schemas <- graph-model <- node-library <- runtime, editor; schemas <- task-bus <- runtime,
// comfy-bridge.
/**
 * The rooms of each house from the lowest floor up; none knows of one above it, or beside it in the same list. Files that lie in no room
 * are known to all, except for the doors, which know all rooms and are known by none of them.
 */
const HOUSES = [
  { name: "graph-model", base: "packages/graph-model/src/", floors: [["comfy"], ["check"], ["io"], ["shared-doc"]], doors: ["index"] },
  {
    name: "runtime",
    base: "apps/runtime/src/",
    floors: [
      ["store"],
      ["artifacts", "collab", "record"],
      ["nodes", "tasks"],
      ["engine"],
      ["export", "services"],
      ["backup", "models"],
      ["api", "cli"],
    ],
    doors: ["main"],
  },
  {
    name: "editor",
    base: "apps/editor/app/",
    floors: [["session"], ["ui"], ["canvas"], ["run"], ["inspector", "library"], ["screen"], ["pages"]],
    doors: ["root", "routes", "entry.server"],
  },
  {
    name: "comfy-bridge",
    base: "workers/comfy-bridge/src/",
    floors: [["comfy", "library"], ["task"]],
    doors: ["main", "server"],
  },
  { name: "infra", base: "infra/", floors: [["launch"], ["codegen", "compose", "images"], ["check"], ["bench"]], doors: ["main"] },
];

const floorsOf = ({ name, base, floors, doors }) => {
  const room = (inside) => `^${base}${inside}/`;
  const door = `^${base}(${doors.join("|").replaceAll(".", "\\.")})\\.tsx?$`;
  const rule = (from, path, pathNot, below) => ({
    name: `${name}-${from}`,
    severity: "error",
    from: { path, ...(pathNot ? { pathNot } : {}) },
    to: { path: [`^${base}[^/]+/`, door], pathNot: below.map(room) },
  });
  return [
    rule("files-in-no-room", `^${base}[^/]+$`, door, []),
    ...floors.flatMap((rooms, at) => rooms.map((inside) => rule(inside, room(inside), undefined, [...floors.slice(0, at).flat(), inside]))),
  ];
};

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
      name: "models-by-hand",
      comment: "only a person's command fetches model files, never the server or a task",
      severity: "error",
      from: { path: "^(apps|packages|workers)/", pathNot: "^apps/runtime/src/(cli|models)/" },
      to: { path: "^apps/runtime/src/models/" },
    },
    {
      ...only("editor", "^apps/editor/", "^(apps/editor|packages/(graph-model|node-library)|schemas|apps/runtime/src/api/router\\.ts$)"),
      comment: "of the runtime only the router's type",
    },
    ...HOUSES.flatMap(floorsOf),
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
      comment: "only the bench measures the run engine from inside",
      severity: "error",
      from: { path: "^infra/(main\\.ts$|(launch|setup|codegen|check)/)" },
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

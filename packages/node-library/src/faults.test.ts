import type { Capability } from "@spindle/schemas";
import { expect, test } from "vitest";
import { committedManifests } from "../manifests/index.ts";
import { faultsOf } from "./faults.ts";

const { node, python } = committedManifests;

const FILE = "apps/runtime/src/nodes/shout.node.ts";
const shout = (change: Partial<Capability> = {}): Capability => ({
  id: "text.shout",
  label: "Shout",
  description: "Turns a text into capitals.",
  version: "1.0.0",
  plane: "node",
  runtime: { kind: "cpu", concurrency: 8 },
  handler: { module: FILE, method: "run" },
  io: { input: ports({ text: { type: "string" } }), output: ports({ loud: { type: "string" } }) },
  category: "Text and control",
  engines: [],
  ...change,
});
const ports = (properties: object, required: string[] = []) => ({ type: "object", required, properties });
const taking = (properties: object, required?: string[]) => shout({ io: { input: ports(properties, required), output: ports({}) } });
const giving = (properties: object, required?: string[]) => shout({ io: { input: ports({}), output: ports(properties, required) } });
const engine = (id: string) => ({ id, label: "Fast", draft: false, live: true, plane: "node" as const });
const setting = (parameter: object) => shout({ parameters: [{ name: "marks", type: "integer", ...parameter }] });

test("nothing is wrong with any capability of the two planes", () => {
  expect([...node.capabilities, ...python.capabilities].flatMap(faultsOf)).toEqual([]);
  expect(faultsOf(shout())).toEqual([]);
});

test.each<[string, Capability, string]>([
  ["a type of artifact", taking({ text: { "x-artifact": "vidoe" } }), 'The input "text" has x-artifact: "vidoe". Did you mean "video"?'],
  [
    "a type of value",
    taking({ text: { type: "strng" } }),
    'The input "text" has the type "strng", which does not exist. Did you mean "string"?',
  ],
  [
    "a type of items",
    giving({ texts: { type: "array", items: { type: "txt" } } }),
    'The output "texts", items, has the type "txt", which does not exist. There are: string, number, integer, boolean, array, object, null.',
  ],
  [
    "a hint",
    taking({ text: { "x-multilin": true } }),
    'The input "text" has "x-multilin", a hint that nothing reads. Did you mean "x-multiline"?',
  ],
  ["a hint's place", taking({ text: { "x-branch": true } }), 'The input "text" has "x-branch", which is a hint for output alone.'],
  [
    "a hint's value",
    taking({ text: { "x-multiline": "yes" } }),
    'The input "text" has x-multiline: "yes". True or false is needed; this is "yes".',
  ],
  [
    "a variable",
    taking({ text: { "x-variables": ["txt"] } }),
    'The input "text" has x-variables with "txt", which is no input. Did you mean "text"?',
  ],
  [
    "a keyword",
    taking({ text: { maxLenght: 3 } }),
    'The input "text" has "maxLenght", which is no keyword that is checked. Did you mean "maxLength"?',
  ],
  ["a required input", taking({ text: {} }, ["txt"]), 'required of the input names "txt", which is not there. Did you mean "text"?'],
  ["a required output", giving({ loud: {} }, ["lout"]), 'required of the output names "lout", which is not there. Did you mean "loud"?'],
  ["a pattern", taking({ text: { pattern: "(" } }), 'The input "text" has a pattern that is no regular expression.'],
  ["limits", taking({ text: { minimum: 3, maximum: 1 } }), 'The input "text" has a minimum above its maximum.'],
  [
    "an input's default",
    taking({ size: { type: "integer", default: "a" } }),
    'The default of the input "size" does not fit its schema. A whole number is needed; this is "a".',
  ],
  [
    "a parameter's default",
    setting({ default: 99, schema: { maximum: 10 } }),
    'The default of the parameter "marks" does not fit its schema. At most 10; this is 99.',
  ],
  [
    "a parameter's two types",
    setting({ schema: { type: "number" } }),
    'The parameter "marks" has the type "integer", and its schema the type "number".',
  ],
  [
    "a parameter's key",
    setting({ defualt: 1 }),
    'The parameter "marks" has "defualt", which is nothing that a parameter has. Did you mean "default"?',
  ],
  ["a parameter's name", setting({ name: "text", type: "string" }), 'The parameter "text" has the name of an input.'],
  [
    "a keyword of another type",
    taking({ text: { type: "string", minimum: 3 } }),
    'The input "text" has "minimum", which says nothing about the type "string".',
  ],
  [
    "a choice of another type",
    taking({ size: { type: "integer", enum: [1, "2"] } }),
    'The input "size" has the choice "2". A whole number is needed; this is "2".',
  ],
  [
    "a keyword of another type than the parameter's",
    setting({ schema: { minLength: 3 } }),
    'The parameter "marks" has "minLength", which says nothing about the type "integer".',
  ],
  [
    "a keyword of lists",
    taking({ text: { type: "string", minItems: 1 } }),
    'The input "text" has "minItems", which says nothing about the type "string".',
  ],
  [
    "a constant",
    taking({ size: { type: "integer", const: "a" } }),
    'The input "size" has the choice "a". A whole number is needed; this is "a".',
  ],
  ["a count", taking({ text: { type: "string", minLength: 1.5 } }), 'The input "text" has a minLength that is no count.'],
  ["a step", taking({ size: { type: "integer", multipleOf: 0 } }), 'The input "size" has a multipleOf that is no number above 0.'],
  ["types", taking({ size: { type: [] } }), 'The input "size" has a list of types without any.'],
  ["an id that is taken", shout({ id: "graph.call" }), 'The id "graph.call" is that of every call of a subgraph.'],
  ["a length", taking({ text: { type: "string", maxLength: -1 } }), 'The input "text" has a maxLength that is no count.'],
  ["a version", shout({ version: "one" }), 'The version "one" is not written like 1.0.0.'],
  ["an id", shout({ id: "Shout" }), 'The id "Shout" is not written like text.shout.'],
  [
    "a category",
    shout({ category: "Text and contrl" }),
    'There is no category "Text and contrl". Did you mean "Text and control"? A new one is added to CATEGORIES in packages/node-library/src/faults.ts.',
  ],
  ["an input's name", taking({ "": {} }), 'The input "" has a name that is empty or has a space in it.'],
  ["an output's name", giving({ "a b": {} }), 'The output "a b" has a name that is empty or has a space in it.'],
  ["a parameter's name with a space", setting({ name: " marks" }), 'The parameter " marks" has a name that is empty or has a space in it.'],
  [
    "properties",
    taking({ text: { type: "object", properties: [] } }),
    'The input "text" has "properties", which is no object with a schema by name.',
  ],
  [
    "a pattern of names",
    taking({ text: { patternProperties: { "(": {} } } }),
    'The input "text" has patternProperties with "(", which is no regular expression.',
  ],
  ["alternatives", taking({ text: { anyOf: [] } }), 'The input "text" has "anyOf", which is no list of schemas.'],
  ["one alternative alone", taking({ text: { oneOf: { type: "string" } } }), 'The input "text" has "oneOf", which is no list of schemas.'],
  [
    "limits that exclude each other",
    taking({ size: { type: "number", minimum: 3, exclusiveMaximum: 3 } }),
    'The input "size" has a minimum and an equal exclusiveMaximum: no number lies between.',
  ],
  [
    "two exclusive limits",
    taking({ size: { type: "number", exclusiveMinimum: 3, exclusiveMaximum: 3 } }),
    'The input "size" has a exclusiveMinimum and an equal exclusiveMaximum: no number lies between.',
  ],
  [
    "an exclusive limit above the other",
    taking({ size: { type: "number", exclusiveMinimum: 4, maximum: 3 } }),
    'The input "size" has a exclusiveMinimum above its maximum.',
  ],
  [
    "limits without a whole number",
    taking({ size: { type: "integer", exclusiveMinimum: 3, exclusiveMaximum: 4 } }),
    'The input "size" has limits between which there is no number of its type.',
  ],
  [
    "limits without a step",
    taking({ size: { type: "number", minimum: 4, maximum: 7, multipleOf: 8 } }),
    'The input "size" has limits between which there is no number of its type.',
  ],
  [
    "a choice beyond a limit",
    taking({ size: { type: "integer", maximum: 3, enum: [1, 4] } }),
    'The input "size" has the choice 4. At most 3; this is 4.',
  ],
  [
    "a constant beyond a limit",
    taking({ size: { type: "integer", maximum: 3, const: 4 } }),
    'The input "size" has the choice 4. At most 3; this is 4.',
  ],
  [
    "a default that is no choice",
    taking({ size: { type: "integer", enum: [1, 2], default: 3 } }),
    'The default of the input "size" does not fit its schema. 1 or 2 is needed; this is 3.',
  ],
  [
    "a default inside",
    taking({ sizes: { type: "array", items: { type: "integer", default: "a" } } }),
    'The default of the input "sizes", items, does not fit its schema. A whole number is needed; this is "a".',
  ],
  [
    "a default in a parameter's schema",
    setting({ schema: { default: "a" } }),
    'The default of the parameter "marks" does not fit its schema. A whole number is needed; this is "a".',
  ],
  [
    "a hint's type",
    taking({ text: { type: "string", "x-widget": "slider" } }),
    'The input "text" has "x-widget", which says nothing about the type "string".',
  ],
  [
    "a hint's type that the parameter has",
    setting({ schema: { "x-multiline": true } }),
    'The parameter "marks" has "x-multiline", which says nothing about the type "integer".',
  ],
  [
    "an artifact's type",
    giving({ loud: { type: "string", "x-artifact": "audio" } }),
    'The output "loud" has "x-artifact", which says nothing about the type "string".',
  ],
  ["a concurrency", shout({ runtime: { kind: "cpu", concurrency: 0 } }), "The concurrency 0 is no count of at least 1."],
  ["half a concurrency", shout({ runtime: { kind: "cpu", concurrency: 1.5 } }), "The concurrency 1.5 is no count of at least 1."],
  [
    "a time-out below 0",
    shout({ runtime: { kind: "cpu", concurrency: 1, timeoutSeconds: -1 } }),
    "The time-out -1 is no whole number of seconds. For none, write 0.",
  ],
  [
    "a time-out of half a second",
    shout({ runtime: { kind: "cpu", concurrency: 1, timeoutSeconds: 0.4 } }),
    "The time-out 0.4 is no whole number of seconds. For none, write 0.",
  ],
  [
    "a format",
    taking({ day: { type: "string", format: "datetime" } }),
    'The input "day" has the format "datetime", which nothing checks. Did you mean "date-time"?',
  ],
  [
    "a format inside",
    giving({ days: { type: "array", items: { type: "string", format: "toString" } } }),
    'The output "days", items, has the format "toString", which nothing checks. There are: date, time, date-time, duration, uri, uri-reference, uri-template, url, email, hostname, ipv4, ipv6, regex, uuid, json-pointer, json-pointer-uri-fragment, relative-json-pointer.',
  ],
  [
    "a keyword of all inputs",
    shout({ io: { input: { ...ports({}), requird: ["text"] }, output: ports({}) } }),
    'The input has "requird", which is no keyword that is checked. Did you mean "required"?',
  ],
  [
    "a keyword of all outputs",
    shout({ io: { input: ports({}), output: { ...ports({}), additionalProperties: { type: "strng" } } } }),
    'The output, additionalProperties, has the type "strng", which does not exist. Did you mean "string"?',
  ],
  [
    "a keyword of another type at the top",
    shout({ io: { input: { ...ports({}), minLength: 1 }, output: ports({}) } }),
    'The input has "minLength", which says nothing about the type "object".',
  ],
  [
    "a hint at the top",
    shout({ io: { input: { ...ports({}), "x-advanced": true }, output: ports({}) } }),
    'The input has "x-advanced", which is a hint for one of its properties alone.',
  ],
  [
    "an example of an input",
    taking({ size: { type: "integer", examples: [1, "a"] } }),
    'The input "size" has the example "a". A whole number is needed; this is "a".',
  ],
  [
    "an example of a parameter",
    setting({ schema: { maximum: 10, examples: [99] } }),
    'The parameter "marks" has the example 99. At most 10; this is 99.',
  ],
  ["examples of an input", taking({ size: { examples: 1 } }), 'The input "size" has "examples", which is no list.'],
  ["an example", shout({ examples: ["hello"] }), "Example 1 is not written like { input: { ... }, output: { ... } }, each by name."],
  [
    "a key of an example",
    shout({ examples: [{ input: { text: "a" } }, { input: { text: "a" }, ouput: {} }] }),
    "Example 2 is not written like { input: { ... }, output: { ... } }, each by name.",
  ],
  [
    "an example's input",
    shout({ examples: [{ input: { text: "a", txt: "b" } }] }),
    'Example 1 has the input "txt", which is not there. Did you mean "text"?',
  ],
  [
    "an example's output",
    shout({ examples: [{ input: { text: "a" }, output: { loud: 1 } }] }),
    'Example 1 has the output "loud". A text is needed; this is 1.',
  ],
  [
    "an example's parameter",
    shout({ parameters: [{ name: "marks", type: "integer" }], examples: [{ input: { marks: "a" } }] }),
    'Example 1 has the input "marks". A whole number is needed; this is "a".',
  ],
  [
    "an example without what is required",
    shout({
      io: { input: ports({ text: {}, picture: { "x-artifact": "image" } }, ["text", "picture"]), output: ports({}) },
      examples: [{ input: {} }],
    }),
    'Example 1 lacks the input "text", which is required.',
  ],
  [
    "an example without a parameter that is required",
    shout({ parameters: [{ name: "marks", type: "integer", required: true }], examples: [{ input: { text: "a" } }] }),
    'Example 1 lacks the input "marks", which is required.',
  ],
  ["a part of a version with a zero in front", shout({ version: "1.00.0" }), 'The version "1.00.0" is not written like 1.0.0.'],
  ["a version with a zero in front", shout({ version: "01.0.0" }), 'The version "01.0.0" is not written like 1.0.0.'],
  [
    "an artifact that is none",
    taking({ text: { "x-artifact": "string" } }),
    'The input "text" has x-artifact: "string". "image", "audio", "video", "mask", "model", "text" or "file" is needed; this is "string".',
  ],
  ["engines", shout({ engines: [engine("fast"), engine("fast")] }), 'Two engines have the id "fast".'],
  ["parameters", shout({ parameters: ["a", "a"].map((name) => ({ name, type: "string" })) }), 'Two parameters have the name "a".'],
  ["a label", shout({ label: " " }), "The label or the description is empty."],
  ["a description", shout({ description: "" }), "The label or the description is empty."],
  ["an enum", taking({ text: { enum: [] } }), 'The input "text" has an enum without choices.'],
  [
    "a required property inside",
    taking({ card: { type: "object", properties: { name: {} }, required: ["nmae"] } }),
    'The input "card" has a list of required properties with "nmae", which is not there. Did you mean "name"?',
  ],
  [
    "a list of required properties",
    taking({ card: { type: "object", required: "name" } }),
    'The input "card" has a list of required properties with what is no list of names.',
  ],
  [
    "an input",
    shout({ io: { input: { type: "object" }, output: ports({}) } }),
    'The input is no JSON Schema with type: "object" and properties; each property is a port.',
  ],
  [
    "an output",
    shout({ io: { input: ports({}), output: { type: "object", properties: [] } } }),
    'The output is no JSON Schema with type: "object" and properties; each property is a port.',
  ],
])("the sentence on %s that cannot be names the file, the place and what was probably meant", (_, capability, sentence) => {
  expect(faultsOf(capability)).toEqual([`${FILE}: ${sentence}`]);
});

test("nothing is wrong with what JSON Schema has and few need", () => {
  const rare = { type: ["array", "null"], contains: { type: "integer" }, minContains: 1, maxContains: 2, writeOnly: true };
  expect(faultsOf(taking({ list: rare, text: { type: "string", contentMediaType: "text/html" } }))).toEqual([]);
  const open = { type: "object", required: ["name"], additionalProperties: { type: "string" } };
  const day = { type: "string", format: "date", examples: ["2030-01-31"] };
  const picture = { type: "object", "x-artifact": "image", examples: ["cat.png"] };
  const examples = [{ input: { day: "2030-01-31", picture: "cat.png", marks: 3 }, output: { loud: "A" } }, { input: { marks: 1 } }];
  const io = {
    input: { ...ports({ day, picture }), title: "Shout", additionalProperties: false },
    output: ports({ loud: { type: "string" } }),
  };
  const runtime = { kind: "cpu" as const, concurrency: 1, timeoutSeconds: 0 };
  expect(faultsOf(shout({ io, runtime, examples, parameters: [{ name: "marks", type: "integer" }] }))).toEqual([]);
  const steps = { type: "number", minimum: 8, maximum: 8, multipleOf: 8, enum: [8], default: 8, "x-widget": "slider" };
  const whole = { type: ["integer", "null"], exclusiveMinimum: 3, exclusiveMaximum: 5, const: 4, "x-unit": "s" };
  expect(faultsOf(taking({ open, steps, whole, any: { "x-unit": "s", patternProperties: { "^a": true } } }))).toEqual([]);
});

test.each([
  { name: "asked", type: "object", schema: { "x-ports": "outputs" } },
  { name: "cases", type: "array", schema: { "x-branches": true } },
])("an example may have outputs that a setting makes: %j", (parameter) => {
  const example = { input: { text: "a" }, output: { quiet: 1 } };
  expect(faultsOf(shout({ examples: [example] }))).toHaveLength(1);
  expect(faultsOf(shout({ parameters: [parameter], examples: [example] }))).toEqual([]);
});

test.each([
  { type: "number", exclusiveMinimum: 0.7, exclusiveMaximum: 0.9, multipleOf: 0.1 }, // 0.7 / 0.1 is 6.999999999999999
  { type: "number", minimum: -0.3, maximum: -0.3, multipleOf: 0.1 },
  { type: "number", minimum: 0.3, maximum: 0.3, multipleOf: 0.1 },
  { type: "number", exclusiveMinimum: -0.4, exclusiveMaximum: -0.2, multipleOf: 0.1 },
  { type: "integer", minimum: 1, maximum: 10, multipleOf: 0.7 },
  { type: "integer", minimum: 9_007_199_254_740_989, maximum: 9_007_199_254_740_989 },
  { type: "number", minimum: -1e308, maximum: 1e308, multipleOf: 1e-300 },
])("%j leaves a number", (size) => {
  expect(faultsOf(taking({ size }))).toEqual([]);
});

test.each([
  { type: "number", exclusiveMinimum: -0.4, exclusiveMaximum: -0.3, multipleOf: 0.1 },
  { type: "number", minimum: -0.39, maximum: -0.31, multipleOf: 0.1 },
  { type: "number", minimum: -7, maximum: -4, multipleOf: 8 },
])("%j leaves none", (size) => {
  expect(faultsOf(taking({ size }))).toEqual([`${FILE}: The input "size" has limits between which there is no number of its type.`]);
});

test("the file of a capability of the Python plane is named by its path", () => {
  const capability = shout({ plane: "python", version: "one", handler: { module: "spindle_worker.nodes.count_words", method: "run" } });
  expect(faultsOf(capability)).toEqual([
    'workers/python-gpu/spindle_worker/nodes/count_words.py: The version "one" is not written like 1.0.0.',
  ]);
});

test.each([
  ["inputs and outputs", { io: undefined }],
  ["a label", { label: undefined }],
  ["parameters in a list", { parameters: {} }],
  ["a parameter that is one", { parameters: [null] }],
])("a definition without %s is named with what it lacks, and nothing is read from it", (_, change) => {
  const found = faultsOf(shout(change as never));
  expect(found.length).toBeGreaterThan(0);
  for (const fault of found) expect(fault).toMatch(new RegExp(`^${FILE}: `));
});

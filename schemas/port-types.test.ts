// One list of port types; what else has to know of a type reads it from here.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COMFY_TYPES, PORT_TYPES } from "./generated/index.ts";

const artifacts = Object.keys(PORT_TYPES).filter((type) => PORT_TYPES[type]?.kind === "artifact");

test("a port for any file takes every type of artifact, and a port accepts only types that there are", () => {
  expect([...(PORT_TYPES.file?.accepts ?? []), "file"].sort(), "`accepts` of `file` in schemas/port-types.json names them").toEqual(
    [...artifacts].sort(),
  );
  for (const [type, { accepts }] of Object.entries(PORT_TYPES))
    for (const accepted of accepts) expect([...Object.keys(PORT_TYPES), "*"], type).toContain(accepted);
});

test("every type of artifact says what media it takes, and one that is not there yet is of those", () => {
  for (const type of artifacts) {
    const { media, usual } = PORT_TYPES[type] ?? {};
    expect(media, type).toBeDefined();
    if (usual)
      expect(
        media?.some((begin) => usual.startsWith(begin)),
        type,
      ).toBe(true);
  }
});

test("what may leave a ComfyUI server leaves it as a port type that there is", () => {
  for (const [type, { port }] of Object.entries(COMFY_TYPES)) expect(Object.keys(PORT_TYPES), type).toContain(port);
});

test("every type of artifact has a colour of its own on the canvas, in both themes, by the rule that the documentation shows", () => {
  const page = readFileSync(new URL("../docs/adding-a-port-type.md", import.meta.url), "utf8");
  const rule = (/```css\n([^`]*)```/.exec(page)?.[1] ?? "no rule").trim().replace(/^ {3}/gm, "");
  const css = (name: string) => readFileSync(new URL(`../apps/editor/app/styles/${name}.css`, import.meta.url), "utf8");
  for (const type of artifacts) {
    expect(css("canvas"), `apps/editor/app/styles/canvas.css colours ${type}`).toContain(rule.replaceAll("mesh", type));
    expect(css("tokens").split(`--port-${type}:`).length - 1, `apps/editor/app/styles/tokens.css has --port-${type} in both themes`).toBe(
      2,
    );
  }
  const [variable] = rule.match(/--[\w-]+/) ?? [];
  expect(css("wires"), "the variable that the rule sets is the one that ports are drawn with").toContain(`background: var(${variable})`);
});

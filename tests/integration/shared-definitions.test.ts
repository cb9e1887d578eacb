// Definitions that every graph can have a copy of: shared in versions, which never change.
import { afterAll, beforeAll, expect, test } from "vitest";
import { graphOf, node, type Spindle, startSpindle } from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ worker: false });
});
afterAll(() => spindle?.stop());

const answer = async (response: Response) => {
  const { result, error } = (await response.json()) as { result?: { data: unknown }; error?: { data: { refused?: { code: string } } } };
  return { status: response.status, data: result?.data, code: error?.data.refused?.code };
};
const share = async (document: unknown, after?: object) =>
  answer(
    await fetch(`${spindle.url}/trpc/definitions.share`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ document, ...(after ? { after } : {}) }),
    }),
  );
const ask = async (name: string, input?: object) =>
  answer(await fetch(`${spindle.url}/trpc/definitions.${name}${input ? `?input=${encodeURIComponent(JSON.stringify(input))}` : ""}`));
const polish = (value: string) =>
  graphOf([node("x", "constant.string", { value })], [], { label: "Polish", description: "Makes it shine." });

test("[G5] a definition is shared, and its next version only by whoever has the newest one", async () => {
  const { data: first } = (await share(polish("one"))) as { data: { definition: string; version: string } };
  expect(first.version).toBe("1");
  const same = await share(polish("one"), first);
  expect(same.data, "what differs in nothing is no version").toEqual(first);
  const [second, late] = await Promise.all([share(polish("two"), first), share(polish("three"), first)]);
  expect([second, late].map(({ status }) => status).sort()).toEqual([200, 409]);
  expect([second, late].find(({ status }) => status === 409)?.code).toBe("definition.outdated");
  expect((await ask("list")).data).toEqual([
    { definition: first.definition, version: "2", label: "Polish", description: "Makes it shine." },
  ]);
  expect((await ask("get", first)).data).toEqual(polish("one"));
});

test("what is no graph, too large, or a version that there is not is refused with the reason", async () => {
  const known = (await share(polish("known"))).data as { definition: string };
  const cases: [unknown, object | undefined, number, string][] = [
    [{ nodes: [] }, undefined, 422, "request.invalid"],
    [{ ...polish("x"), metadata: { definitions: { Broken: { nodes: "none" } } } }, undefined, 422, "request.invalid"],
    [polish("x".repeat(300_000)), undefined, 413, "request.invalid"],
    [polish("y"), { definition: known.definition, version: "9" }, 404, "definition.not_found"],
    [polish("y"), { definition: known.definition, version: "0" }, 422, "request.invalid"],
    [polish("nul \0 in it"), undefined, 200, "undefined"],
  ];
  for (const [document, after, status, code] of cases) {
    const refused = await share(document, after);
    expect([refused.status, String(refused.code)], JSON.stringify(document).slice(0, 80)).toEqual([status, code]);
  }
});

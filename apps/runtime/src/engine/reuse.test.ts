import type { Plan } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { rolesOf } from "./reuse.ts";

/** A plan without loops of the wires named; it counts how often somebody asks for the neighbours of a node. */
function planOf(ids: readonly string[], wires: readonly (readonly [string, string])[]): { plan: Plan; asked(): number } {
  let asked = 0;
  const neighbours = (from: 0 | 1, to: 0 | 1) => {
    const lists = new Map(ids.map((id) => [id, new Set<string>()]));
    for (const wire of wires) lists.get(wire[from])?.add(wire[to]);
    const get = lists.get.bind(lists);
    lists.get = (id) => {
      asked++;
      return get(id);
    };
    return lists;
  };
  const shape = { node: new Map(ids.map((id) => [id, {}])), predecessors: neighbours(1, 0), successors: neighbours(0, 1) };
  return { plan: { shape, loops: new Map() } as unknown as Plan, asked: () => asked };
}

const WIRES = [
  ["before", "part"],
  ["part", "after"],
  ["beside", "after"],
  ["apart", "lost"],
] as const;
const IDS = ["before", "part", "after", "beside", "apart", "lost"];
const options = (of: "from" | "to" | "only") => ({ part: { of, node: "part" } });

test.each([
  ["from", { before: "keep", part: "force", after: "run", beside: "keep", apart: "leave", lost: "leave" }],
  ["to", { before: "run", part: "run", after: "leave", beside: "leave", apart: "leave", lost: "leave" }],
  ["only", { before: "keep", part: "force", after: "leave", beside: "leave", apart: "leave", lost: "leave" }],
] as const)("[E12] a part that runs %s a node gives each node its role", (of, roles) => {
  expect(Object.fromEntries(rolesOf(planOf(IDS, WIRES).plan, options(of)))).toEqual(roles);
});

test("[E12] the roles of a part take each node and wire a few times, however many are outside it", () => {
  const chain = Array.from({ length: 2000 }, (_, at) => `n${at}`);
  const wires = chain.slice(1).map((id, at) => [chain[at] as string, id] as const);
  const { plan, asked } = planOf(["part", ...chain], wires);
  expect(rolesOf(plan, options("from")).get("n0")).toBe("leave");
  expect(asked()).toBeLessThan(4 * chain.length);
});

// Two people wire one input at the same moment (DESIGN C2).
import { expect, test } from "vitest";
import * as Y from "yjs";
import { addNode, connect, copyOf, migrate, normalise, type SettledWires, settleWires, Undo } from "./index.ts";

const AT = { x: 0, y: 0 };

/** Nodes a, b, c and d, and pages of some people, who have been told what is listed. */
function pages(count: number) {
  const doc = new Y.Doc();
  migrate(doc);
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => addNode(doc, "first", { service: name, plane: "node", position: AT })) as [
    string,
    string,
    string,
    string,
  ];
  connect(doc, "first", { node: d, port: "value" }, { node: c, port: "value" });
  const all = Array.from({ length: count }, () => {
    const own = copyOf(doc);
    const notices: SettledWires[] = [];
    settleWires(own, (settled) => notices.push(settled));
    return { doc: own, notices, undo: new Undo(own, "me", 0) };
  });
  /** Everybody's edits reach everybody, until nothing is new. */
  const meet = () => {
    for (let round = 0; round < 3; round++) {
      const updates = all.map(({ doc: own }) => Y.encodeStateAsUpdate(own));
      for (const page of all) for (const update of updates) Y.applyUpdate(page.doc, update, "server");
    }
    const [first, ...others] = all.map(({ doc: own }) => normalise(own).graph);
    for (const other of others) expect(other).toEqual(first);
    return (first?.edges ?? []).map(({ from, to }) => `${from} ${to}`);
  };
  const wire = (page: (typeof all)[number], from: string, as?: "loop") =>
    connect(page.doc, "me", { node: from, port: "value" }, { node: c, port: "value" }, as);
  return { all, meet, wire, nodes: [a, b, c, d] as const };
}

test("[C2] of two wires into one input one stays, the same for both, and both are told which", () => {
  const { all, meet, wire, nodes } = pages(3);
  const [ada, ben, cy] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
  wire(ada, nodes[0]);
  wire(ben, nodes[1]);
  const edges = meet();
  expect(edges).toHaveLength(1);
  const [stays, goes] = [nodes[0], nodes[1]]
    .map((from) => ({ from, to: nodes[2], port: "value" }))
    .sort((one) => (edges[0]?.startsWith(one.from) ? -1 : 1));
  for (const { notices } of [ada, ben])
    expect(notices).toEqual([expect.objectContaining({ stays: expect.objectContaining(stays), goes: expect.objectContaining(goes) })]);
  expect([ada, ben].map(({ notices }) => notices[0]?.isMine).sort()).toEqual([false, true]);
  expect(cy.notices, "nothing of theirs is at stake").toEqual([]);
  expect(meet(), "and nothing more happens").toEqual(edges);
});

test("three wires of three people at once leave one", () => {
  const { all, meet, wire, nodes } = pages(3);
  all.forEach((page, at) => void wire(page, nodes[at === 2 ? 3 : at] as string));
  expect(meet()).toHaveLength(1);
  for (const { notices } of all) expect(notices.length).toBeGreaterThan(0);
});

test("a wire that leads back beside one that leads forward, and a new wire for one that another removed, are no two wires", () => {
  const { all, meet, wire, nodes } = pages(2);
  const [ada, ben] = all as [(typeof all)[0], (typeof all)[0]];
  wire(ada, nodes[0]);
  wire(ben, nodes[1], "loop");
  expect(meet()).toHaveLength(2);
  wire(ben, nodes[3]);
  expect(meet()).toHaveLength(2);
  expect([ada.notices, ben.notices]).toEqual([[], []]);
});

test("undo of a wire brings no older one back beside another person's", () => {
  const { all, meet, wire, nodes } = pages(2);
  const [ada, ben] = all as [(typeof all)[0], (typeof all)[0]];
  wire(ada, nodes[0]);
  meet();
  wire(ben, nodes[1]);
  expect(meet()).toEqual([`${nodes[1]} ${nodes[2]}`]);
  ada.undo.undo();
  expect(meet()).toEqual([`${nodes[1]} ${nodes[2]}`]);
});

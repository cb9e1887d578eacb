import { expect, test } from "vitest";
import { fitEdges } from "./canvas-tools";

const VIEW = { width: 912, height: 520 };
const MINIMAP = { width: 168, height: 108 };

test("a fitted view leaves the minimap's corner free: above it for a wide graph, beside it for a tall one", () => {
  const plain = fitEdges({ width: 3000, height: 400 }, VIEW, undefined);
  const wide = fitEdges({ width: 3000, height: 400 }, VIEW, MINIMAP);
  expect(wide).toEqual({ ...plain, bottom: 132 });
  const tall = fitEdges({ width: 400, height: 3000 }, VIEW, MINIMAP);
  expect(tall).toEqual({ ...plain, right: 192 });
});

import { expect, test } from "vitest";
import { docstringsOf, titlesOf } from "./titles.ts";

test.each([
  'test("a", () => {})',
  'it.each([1, 2])("a", () => {})',
  'test.each`b\n${"skip"}`("a", () => {})',
  'test.runIf(program)("a", () => {})',
  'test.skipIf(process.platform === "win32")("a", () => {})',
  "test(`a`, { timeout: 1, skip: false }, () => {})",
  'test("a", check)',
])("%s counts", (text) => {
  expect(titlesOf("a.test.ts", text)).toEqual(["a"]);
});

test("a group counts with the tests in it, also where a loop makes them", () => {
  const text = 'describe("a", () => { for (const name of names) test("b", () => {}); it.skip("c", () => {}); });';
  expect(titlesOf("a.test.ts", text)).toEqual(["a", "b"]);
});

test.each([
  'test.skip("a", () => {})',
  'it.todo("a")',
  'test("a")',
  'test("a", { timeout: 1 })',
  'test.fails("a", () => {})',
  'test.concurrent.skip("a", () => {})',
  'test.skip.each([1])("a", () => {})',
  'test.each([1]).skip("a", () => {})',
  'test.skipIf(true)("a", () => {})',
  'test.runIf(false)("a", () => {})',
  'test("a", { skip: true }, () => {})',
  'describe.skip("a", () => { test("b", () => {}); })',
  'describe("a", { todo: true }, () => { test("b", () => {}); })',
  'describe.skip("a", () => { describe("b", () => { test("c", () => {}); }); })',
  'describe("a", () => { test.skip("b", () => {}); test.todo("c"); })',
  'describe("a", () => {})',
  'rule("a", () => {})',
])("%s does not count", (text) => {
  expect(titlesOf("a.test.ts", text)).toEqual([]);
});

test("the docstring of a test in Python counts, unless the test never runs", () => {
  const text = `
@pytest.mark.parametrize("a", [1])
@pytest.mark.skipif(program is None, reason="not installed")
async def test_a(a: int) -> None:
    """a"""
@pytest.mark.skip(reason="later")
@pytest.mark.parametrize("a", [1])
def test_b() -> None:
    """b"""
    def test_c(self) -> None:
        """c"""
@pytest.mark.xfail
def test_d() -> None:
    """d"""
def helper() -> None:
    """e"""
`;
  expect(docstringsOf(text)).toEqual(["a", "c"]);
});

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
  'test.each([])("a", () => {})',
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

test.each([
  'test("a", (context) => { if (!program) context.skip(); })',
  'test("a", async ({ skip }) => { await begin(); skip("later"); })',
  'test("a", { timeout: 1 }, function ({ skip: leave }) { leave(); })',
  'test("a", (context) => { const { skip } = context; skip(); })',
  'test.for([1])("a", (count, context) => { context.skip(); })',
])("%s skips itself, so that nobody can say it ran", (text) => {
  expect(titlesOf("a.test.ts", text)).toEqual([]);
});

test("a test that skips something else counts, and so do those beside one that skips itself", () => {
  const skipped = 'test("c", (context) => { context.skip(); }); test("d", ({ skip }) => { skip(); });';
  const text = `describe("a", () => { test("b", () => { reader.skip(4); }); ${skipped} });`;
  expect(titlesOf("a.test.ts", text)).toEqual(["a", "b"]);
});

const python = (text: string): string[] => docstringsOf(["-"], `import pytest\n${text}`).map(({ title }) => title);
const TEST = 'def test_a() -> None:\n    """a"""\n';
/** In a class. */
const METHOD = '    def test_a(self) -> None:\n        """a"""\n';

test.each([
  TEST,
  `async ${TEST}`,
  TEST.replace("()", "(\n    one: int,\n    two: Callable[[], None],\n)").replace(" -> None", ""),
  TEST.replace('"""a"""', '"""a\n\n    And more of it.\n    """'),
  `@pytest.mark.parametrize("a", [1])\n@pytest.mark.skipif(program is None, reason="not installed")\n${TEST}`,
  `pytestmark = pytest.mark.needs("program")\n${TEST}`,
  `class TestAll:\n${METHOD}`,
])("the docstring of %s counts", (text) => {
  expect(python(text)).toEqual(["a"]);
});

test.each([
  `@pytest.mark.skip(reason="later")\n@pytest.mark.parametrize("a", [1])\n${TEST}`,
  `@pytest.mark.skip(\n    reason="later",\n)\n${TEST}`,
  `@pytest.mark.parametrize(\n    "a",\n    [1],\n)\n@pytest.mark.xfail\n${TEST}`,
  `@pytest.mark.skipif(True, reason="later")\n${TEST}`,
  `@pytest.mark.parametrize("a", [])\n${TEST}`,
  `later = pytest.mark.skip(reason="later")\n@later\n${TEST}`,
  `pytestmark = pytest.mark.skip\n${TEST}`,
  `pytestmark: list[object] = [\n    pytest.mark.needs("program"),\n    pytest.mark.skip(reason="later"),\n]\n${TEST}`,
  `pytest.skip("later", allow_module_level=True)\n${TEST}`,
  `${TEST}    pytest.skip("later")\n`,
  `${TEST}    if program is None:\n        pytest.xfail("later")\n`,
  `@pytest.mark.skip\nclass TestAll:\n${METHOD}`,
  `class TestAll:\n    pytestmark = pytest.mark.skip\n${METHOD}`,
  `class TestAll:\n${METHOD}        pytest.skip()\n`,
  `class Helper:\n${METHOD}`,
  `def helper() -> None:\n${METHOD.replace("self", "")}`,
  TEST.replace("test_a", "helper"),
  `TEXT = '''\n${TEST}'''\n`,
])("the docstring of %s does not count", (text) => {
  expect(python(text)).toEqual([]);
});

test("a test beside one that does not run counts, and so does a group's beside a group that does not", () => {
  const groups = `@pytest.mark.skip\nclass TestSome:\n${METHOD}class TestAll:\n${METHOD}`;
  expect(python(`${TEST}    pytest.skip()\ndef test_b() -> None:\n    """b"""\n${groups}`)).toEqual(["b", "a"]);
});

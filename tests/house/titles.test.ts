import { expect, test } from "vitest";
import { docstringsOf, titlesOf } from "./titles.ts";

test.each([
  'test("a", () => {})',
  'it.each([1, 2])("a", () => {})',
  'test.each`b\n${"skip"}`("a", () => {})',
  'test.runIf(program)("a", () => {})',
  'test.skipIf(process.platform === "win32")("a", () => {})',
  "test(`a`, { timeout: 1, skip: false }, () => {})",
  'test("a", () => {}, 1000)',
  'test("a", () => {}, LIMIT_MS)',
  'test("a", ({ expect }) => { expect(1).toBe(1); })',
  'test("a", (context) => { context.expect(1).toBe(1); })',
  'test.each([{ skip: 1, take: 2 }])("a", ({ skip, take }) => { list(skip, take); })',
  'test.each([[cursor]])("a", (cursor) => { cursor.skip(4); })',
  'test.for([cursor])("a", (cursor) => { cursor.skip(4); })',
  'beforeEach(() => begin()); test("a", () => {})',
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
  'test("a", check)',
  'test("a", options, () => {})',
  'test("a", { skip }, () => {})',
  'test("a", { "skip": true }, () => {})',
  'test("a", { skip: 1 > 0 }, () => {})',
  'test("a", { ...options }, () => {})',
  'describe("a", options, () => { test("b", () => {}); })',
  'test["skip"]("a", () => {})',
  'describe["skip"]("a", () => { test("b", () => {}); })',
  'test.skipIf(1)("a", () => {})',
  'test.runIf(undefined)("a", () => {})',
  'test.each([] as const)("a", () => {})',
  'test.each``("a", () => {})',
  'beforeEach((context) => context.skip()); test("a", () => {})',
  'beforeEach(({ skip }) => { skip(); }); describe("a", () => { test("b", () => {}); })',
  'describe("a", () => { beforeEach((c) => { if (later) c.skip(); }); test("b", () => {}); })',
])("%s does not count", (text) => {
  expect(titlesOf("a.test.ts", text)).toEqual([]);
});

test.each([
  'test("a", (context) => { if (!program) context.skip(); })',
  'test("a", async ({ skip }) => { await begin(); skip("later"); })',
  'test("a", { timeout: 1 }, function ({ skip: leave }) { leave(); })',
  'test("a", (context) => { const { skip } = context; skip(); })',
  'test.for([1])("a", (count, context) => { context.skip(); })',
  'test("a", (context) => { context["skip"](); })',
  'test("a", (context) => { leave(context); })',
  'test("a", (context) => { context.task.skip(); })',
  'test("a", ({ ...rest }) => { rest.skip(); })',
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
  `${TEST}    frames = reader.skip(4)\n    for skip in frames:\n        assert skip\n`,
  `@pytest.mark.parametrize("a", [pytest.param(1, marks=pytest.mark.xfail), 2])\n${TEST}`,
  `@pytest.fixture\ndef other():\n    pytest.skip("later")\n${TEST}`,
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
  `if program is None:\n    pytest.skip("later", allow_module_level=True)\n${TEST}`,
  `try:\n    import torch\nexcept ImportError:\n    pytest.skip("later", allow_module_level=True)\n${TEST}`,
  `torch = pytest.importorskip("torch")\n${TEST}`,
  `pytest.importorskip("torch")\n${TEST}`,
  `${TEST}    torch = pytest.importorskip("torch")\n`,
  `@pytest.fixture(autouse=True)\ndef program():\n    pytest.skip("later")\n${TEST}`,
  `@pytest.fixture\ndef program():\n    pytest.skip("later")\n${TEST.replace("()", "(program)")}`,
  `@pytest.fixture\ndef program():\n    need()\ndef need():\n    pytest.skip("later")\n${TEST.replace("()", "(program)")}`,
  `def need():\n    pytest.skip("later")\n${TEST}    need()\n`,
  `from pytest import skip as leave\n${TEST}    leave("later")\n`,
  `from pytest import mark\n@mark.skip\n${TEST}`,
  `@pytest.mark.skipif(condition=True, reason="later")\n${TEST}`,
  `@pytest.mark.skipif(1, reason="later")\n${TEST}`,
  `@pytest.mark.parametrize("a", ())\n${TEST}`,
  `@pytest.mark.parametrize(argnames="a", argvalues=[])\n${TEST}`,
  `@pytest.mark.parametrize("a", [pytest.param(1, marks=pytest.mark.skip)])\n${TEST}`,
  `@unittest.skip("later")\n${TEST}`,
  `${TEST}    raise unittest.SkipTest("later")\n`,
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

import { expect, test } from "vitest";
import { readSource } from "../../infra/check/files.ts";
import { evaluationsIn, pythonEvaluations } from "./evaluation.ts";
import { codeFiles } from "./files.ts";

/** By file, what it uses and why no user string comes there. */
const EXEMPT: Readonly<Record<string, readonly [what: string, reason: string]>> = {
  "apps/editor/app/root.tsx": ["dangerouslySetInnerHTML", "the script is a constant, which sets the theme before anything is drawn"],
  "infra/compose/compose.test.ts": ["the text of a program", "the script is a container's own, out of the compose file"],
  "infra/launch/build.ts": ["the text of a program", "it imports a module that the repository names"],
  "infra/provision/provision.test.ts": ["a shell", "the script is a file of the repository"],
  "workers/comfy-bridge/src/task/large-files.test.ts": ["vm", "the program is one word, which asks for the garbage collector"],
  "workers/python-gpu/spindle_worker/engine/install.py": ["the text of a program", "it imports modules that the worker's own files name"],
};

test("[S4] no user string is ever evaluated or put into a page", () => {
  const files = codeFiles.filter((file) => !/(^|\/)(engine_)?tests\//.test(file));
  const python = files.filter((file) => file.endsWith(".py"));
  const scripts = files.filter((file) => /\.(ts|tsx|mts|mjs|cjs|js)$/.test(file));
  expect([python.length > 20, scripts.length > 400]).toEqual([true, true]);
  const found = [...scripts.flatMap((file) => evaluationsIn(file, readSource(file))), ...pythonEvaluations(python)];
  const isExempt = (entry: string) => EXEMPT[entry.split(":")[0] as string]?.[0] === entry.split(": ")[1];
  expect(found.filter((entry) => !isExempt(entry))).toEqual([]);
  expect([...new Set(found.filter(isExempt).map((entry) => entry.split(":")[0]))].toSorted()).toEqual(Object.keys(EXEMPT).toSorted());
});

test.each([
  "eval(text)",
  "(0, eval)(text)",
  "const run = eval",
  "globalThis.eval(text)",
  "window['eval'](text)",
  "new Function('a', text)",
  "Function(text)()",
  "Reflect.construct(Function, [text])",
  "(() => {}).constructor(text)()",
  "element.innerHTML = text",
  "element['innerHTML'] = text",
  "element.outerHTML += text",
  "element.insertAdjacentHTML('beforeend', text)",
  "Object.assign(element, { innerHTML: text })",
  "const page = <p dangerouslySetInnerHTML={{ __html: text }} />",
  "const page = <iframe srcDoc={text} />",
  "document.write(text)",
  "window.document.writeln(text)",
  "setTimeout('run()', 1)",
  "setTimeout(`run(${text})`, 1)",
  "window.setInterval('run(' + text + ')', 1)",
  "import { runInNewContext } from 'node:vm'",
  "import { execSync } from 'node:child_process'",
  "spawn(text, { shell: true })",
  "spawn(text, [], { 'shell': true })",
  "spawn(text, [], { shell })",
  "options.shell = isText",
  "spawn('sh', ['-c', text])",
  "const program = '/usr/bin/bash'",
  "spawn('env', [`zsh`, '-c', text])",
  "spawn(process.env.SHELL, ['-c', text])",
  "spawn(process.env['SHELL'], ['-c', text])",
  "import { exec as run } from 'child_process'",
  "import * as child from 'node:child_process'",
  "import child from 'node:child_process'",
  "import { default as child } from 'node:child_process'",
  "import child = require('node:child_process')",
  "export * from 'node:child_process'",
  "const { exec } = await import('node:child_process')",
  "(await import(`child_process`)).exec(text)",
  "require('child_process').exec(text)",
  "process.getBuiltinModule('child_process').exec(text)",
  "range.createContextualFragment(text)",
  "options['shell'] = true",
  "options.shell ??= true",
  "const options = { shell: true }",
  "spawn('bash.exe', ['-c', text])",
  "spawn('powershell', ['-c', text])",
  "spawn('cmd', ['/c', text])",
  "execFile('C:\\\\Windows\\\\System32\\\\cmd.exe', ['/c', text])",
  "spawn(process.env.ComSpec, ['/c', text])",
  "spawn(process.execPath, ['-e', text])",
  "spawn('python3', ['-c', `a ${text}`])",
  "const AsyncFunction = (async () => {}).constructor",
  "new (async () => {}).constructor(text)",
  "const { constructor: AsyncFunction } = async () => {}",
  "import vm = require('node:vm')",
  "export { runInNewContext } from 'node:vm'",
  "await import('data:text/javascript,' + text)",
  "await import(`data:text/javascript,${text}`)",
  "frame.setAttribute('srcdoc', text)",
  "element.setAttribute('onclick', text)",
  "frame.contentDocument.write(text)",
  "spawn(isWindows ? 'cmd' : 'sh', [isWindows ? '/c' : '-c', text])",
  "spawn(settings.shell ?? 'bash', ['-lc', text])",
  "run('sh', ['-c', text])",
  "runTool('x', 'sh', ['-ec', text])",
  "await execa('sh', ['-c', text])",
  "start({ command: 'sh', args: ['-c', text] })",
  "say.constructor.constructor(text)",
  "frame.contentDocument!.write(text)",
  "(frame.contentDocument as Document).write(text)",
  "createElement('p', { dangerouslySetInnerHTML })",
  "new Worker(`data:text/javascript,${text}`)",
])("TypeScript that says %s is found", (text) => {
  expect(evaluationsIn("a.tsx", `\n${text};`)).toEqual([expect.stringMatching(/^a\.tsx:2: \w/)]);
});

test("TypeScript that only has such a word evaluates nothing", () => {
  const text = `// eval(text), innerHTML
    const said = "eval(text)" + "innerHTML";
    const isCode = (value: Function) => value instanceof Function && /a/.exec("a");
    setTimeout(() => run("text"), 1);
    setTimeout(run, 1);
    stream.write(text);
    spawn(program, { shell: false });
    import type child from "node:child_process";
    import { type ChildProcess, spawn } from "node:child_process";
    const { shell } = settings;
    const theme = { shell: "dark" };
    const isKey = key === "cmd" || key === "fish";
    highlight(code, "bash");
    spawn("node", ["-e", "process.exit()"]);
    import { exec } from "./sql.ts";
    import { default as x } from "./x.ts";
    vi.mock("node:child_process");
    frame.setAttribute("title", text);
    element.setAttribute("only-if", text);
    throw new error.constructor(error.message);
    import bash from "highlight.js/lib/languages/bash";
    navigate("/help/fish");
    spawn("mkdir", ["-p", folder]);
    execFile("git", ["-c", "user.name=" + name]);
    spawn("docker", ["run", "-p", port, "-e", setting]);
    const isPlain = value.constructor === Object || value.constructor.name === "A";
    say("a shell is no sh");
    class A { constructor() {} }`;
  expect(evaluationsIn("a.tsx", text)).toEqual([]);
});

test.each([
  "eval(text)",
  "exec(text)",
  "builtins.exec(text)",
  "run = eval",
  "compile(text, 'a', 'exec')",
  "os.system(text)",
  "os.popen(text)",
  "from os import system",
  "subprocess.run(text, shell=True)",
  "subprocess.run(text, shell=is_text)",
  "subprocess.run(text, **{'shell': True})",
  "options['shell'] = True",
  "subprocess.run(['sh', '-c', text])",
  "subprocess.run(['/bin/bash', '-c', text])",
  "os.execvp('env', ['env', 'dash', '-c', text])",
  "subprocess.run([os.environ['SHELL'], '-c', text])",
  "run = os.system",
  "subprocess.getoutput(text)",
  "subprocess.getstatusoutput(text)",
  "await asyncio.create_subprocess_shell(text)",
  "import builtins as b; b.eval(text)",
  "from builtins import eval as run",
  "import os as o; o.popen(text)",
  "getattr(os, 'system')(text)",
  "__import__('os').system(text)",
  "subprocess.run([sys.executable, '-c', text])",
  "await asyncio.create_subprocess_exec('bash', '-c', 'a')",
  "subprocess.run(['cmd', '/c', text])",
  "subprocess.run(['cmd.exe', '/c', text])",
  "subprocess.run(['powershell', text])",
  "program = '/bin/zsh'",
  "kwargs.update(shell=True)",
  "await asyncio.subprocess.create_subprocess_shell(text)",
  "from asyncio.subprocess import create_subprocess_shell",
])("Python that says %s is found", (text) => {
  expect(pythonEvaluations(["-"], `async def f():\n    ${text}\n`)).toEqual([expect.stringMatching(/^-:2: \w/)]);
});

test("Python that only has such a word evaluates nothing", () => {
  const text = `# eval(text)
model.eval()
said = "exec(text) in a shell, which is no sh"
pattern = re.compile(text)
name = platform.system()
said = [settings.system, message.system, {"system": text, "shell": "dark"}]
kinds = ["cmd", "fish", "sh"]
subprocess.run([sys.executable, "-c", "import this"])
from platform import system
from re import compile
compile(text)
subprocess.run(["git", "-c", f"user.name={name}", "commit"])
subprocess.run(["grep", "-c", text])
ast.literal_eval(text)
subprocess.run([text], shell=False)
`;
  expect(pythonEvaluations(["-"], text)).toEqual([]);
});

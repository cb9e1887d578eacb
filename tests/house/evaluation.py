"""Where Python evaluates a text as code or as a command (evaluation.ts), each line once, as `file:line: what is used`: evaluation.py FILE..., `-` reads a text."""

import ast
import re
import sys
from pathlib import Path

EVALUATING = {
    "builtins": {"eval", "exec", "compile"},
    "os": {"system", "popen"},
    "subprocess": {"getoutput", "getstatusoutput"},
    "asyncio": {"create_subprocess_shell"},
    "asyncio.subprocess": {"create_subprocess_shell"},
}
STARTERS = re.compile(r"(subprocess\.(run|Popen|call|check_call|check_output)|os\.(exec|spawn|posix_spawn)\w*|asyncio\.create_subprocess_exec|pty\.spawn)")
PATH_OF_A_SHELL = re.compile(r"(\S*[/\\]bin[/\\](sh|bash|dash|ash|zsh|ksh|fish|pwsh)|(.*[/\\])?(bash|cmd|powershell|pwsh)\.exe)", re.IGNORECASE)
A_SHELL = re.compile(r"sh|bash|dash|ash|zsh|ksh|fish|cmd|powershell|pwsh|SHELL|COMSPEC|ComSpec")
PROGRAM_TEXT = {"-c", "-e", "--eval"}
AN_INTERPRETER = re.compile(r"(.*[/\\])?(node|deno|bun|tsx|python[\d.]*|perl|ruby|php)(\.exe)?")


class Judge:
    """One file. Modules are known by the names under which it imports them, and by their own where it imports nothing else of that name."""

    def __init__(self, tree: ast.Module) -> None:
        self.names = {name: name for name in [*EVALUATING, "pty", "__builtins__"]} | {name: f"builtins.{name}" for name in EVALUATING["builtins"]}
        self.names["__builtins__"] = "builtins"
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.names |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, ast.ImportFrom):
                self.names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}

    def path(self, node: ast.AST) -> str:
        """What an expression names, as `os.system`, if it is a module or something in one."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, "")
            case ast.Attribute(value=value, attr=attr) | ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=attr), *_]):
                return f"{self.path(value)}.{attr}"
            case ast.Call(func=ast.Name(id="__import__"), args=[ast.Constant(value=str(module)), *_]):
                return module
        return ""

    def evaluation(self, node: ast.AST) -> str | None:
        module, _, name = self.path(node).rpartition(".")
        if name in EVALUATING.get(module, ()):
            return name
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                return next((alias.name for alias in names if alias.name in EVALUATING.get(module, set()) | {"*"} and module in EVALUATING), None)
            case ast.Constant(value=str(text)) if PATH_OF_A_SHELL.fullmatch(text):
                return "a shell"
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                return "shell"
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value="shell"))], value=value) if not is_false(value):
                return "shell"
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return "shell" if any(isinstance(key, ast.Constant) and key.value == "shell" and is_true(value) for key, value in pairs) else None
            case ast.Call(func=func) if STARTERS.fullmatch(self.path(func)):
                return self.command(node)
        return None

    def command(self, call: ast.Call) -> str | None:
        if any(keyword.arg == "shell" and not is_false(keyword.value) and not is_true(keyword.value) for keyword in call.keywords):
            return "shell"
        for part in ast.walk(call):
            match part:
                case ast.Constant(value=str(text)) if A_SHELL.fullmatch(text):
                    return "a shell"
                case ast.List(elts=words) | ast.Tuple(elts=words) | ast.Call(args=words):
                    texts = [getattr(word, "value", None) for word in words]
                    if isinstance(texts[0] if texts else None, str) and not AN_INTERPRETER.fullmatch(texts[0]):
                        continue  # a program that takes something else by the same letter
                    given = [after for text, after in zip(texts, words[1:], strict=False) if isinstance(text, str) and text in PROGRAM_TEXT]
                    if any(not isinstance(text, ast.Constant) for text in given):
                        return "the text of a program"
        return None


def is_true(value: ast.AST) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def is_false(value: ast.AST) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


for path in sys.argv[1:]:
    tree = ast.parse(sys.stdin.read() if path == "-" else Path(path).read_text())
    judge = Judge(tree)
    lines: set[int] = set()
    for node in ast.walk(tree):
        found, line = judge.evaluation(node), getattr(node, "lineno", 0)
        if found and line not in lines:
            lines.add(line)
            print(f"{path}:{line}: {found}")

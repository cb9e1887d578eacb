"""Where Python evaluates a text as code or as a command (evaluation.ts), each as `file:line: what is used`: evaluation.py FILE..., `-` reads a text."""

import ast
import re
import sys
from pathlib import Path

NAMES = {"eval", "exec", "compile"}
COMMANDS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}
A_SHELL = re.compile(r"(/\S*/)?(sh|bash|dash|ash|zsh|ksh|fish|cmd(\.exe)?|powershell(\.exe)?|pwsh)|SHELL")


def evaluation(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name) if name in NAMES:
            return name
        case ast.Attribute(value=ast.Name(id="builtins" | "__builtins__"), attr=name) if name in NAMES:
            return name
        case ast.Attribute(value=ast.Name(id="platform"), attr="system"):
            return None
        case ast.Attribute(attr=name) if name in COMMANDS:
            return name
        case ast.Constant(value=str(text)) if A_SHELL.fullmatch(text):
            return "a shell"
        case ast.Constant(value="shell"):
            return "shell"
        case ast.ImportFrom(names=names):
            return next((alias.name for alias in names if alias.name in NAMES | COMMANDS), None)
        case ast.keyword(arg="shell", value=value) if not (isinstance(value, ast.Constant) and value.value is False):
            return "shell"
    return None


for path in sys.argv[1:]:
    for node in ast.walk(ast.parse(sys.stdin.read() if path == "-" else Path(path).read_text())):
        found = evaluation(node)
        if found:
            print(f"{path}:{getattr(node, 'lineno', 0)}: {found}")

"""What Python files declare under an empty name (names.ts), each as `file:line: name`: names.py NAME,NAME FILE..."""

import ast
import sys
from pathlib import Path

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def declared(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
            return [name]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
        case ast.Import(names=names):
            return [alias.name.split(".")[0] for alias in names if alias.asname is None]
    return []


def walk(node: ast.AST, is_on_one_line: bool, file: str, empty: set[str]) -> None:
    """A lambda or a comprehension on one line may use these names, as a function on one line of TypeScript may."""
    if not is_on_one_line:
        for name in declared(node):
            if name.strip("_").lower() in empty:  # as a class, a constant or a private field, too
                print(f"{file}:{node.lineno}: {name}")  # type: ignore[attr-defined]
    inside = isinstance(node, COMPREHENSIONS) and node.lineno == node.end_lineno
    for child in ast.iter_child_nodes(node):
        walk(child, is_on_one_line or inside, file, empty)


for path in sys.argv[2:]:
    walk(ast.parse(Path(path).read_text()), False, path, set(sys.argv[1].split(",")))

"""The first lines of the docstrings of tests, but for those that never run (titles.ts), each as JSON: titles.py FILE..., `-` reads a text."""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

NOT_RUN = {"skip", "xfail"}


def says_not_run(node: ast.AST, names: set[str]) -> bool:
    """A test that skips itself on a condition does so, too: `skipif` says that where everybody sees it."""
    for part in ast.walk(node):
        match part:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in names:
                return True
            case ast.Call(func=ast.Attribute(attr="skipif"), args=[ast.Constant(value=True), *_]):
                return True
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[_, ast.List(elts=[]), *_]):
                return True
    return False


def titles(group: ast.Module | ast.ClassDef, outer: set[str]) -> Iterator[str]:
    """:param outer: the names of marks and functions under which nothing runs"""
    names = set(outer)
    for statement in group.body:
        match statement:
            case ast.Expr() if says_not_run(statement, names):
                return
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                if says_not_run(value, names):
                    names.add(name)
    if "pytestmark" in names:
        return
    for statement in group.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test"):
                docstring = ast.get_docstring(statement)
                if docstring and not says_not_run(statement, names):
                    yield docstring.splitlines()[0]
            case ast.ClassDef(name=name, decorator_list=marks) if name.startswith("Test"):
                if not any(says_not_run(mark, names) for mark in marks):
                    yield from titles(statement, names)


for path in sys.argv[1:]:
    for title in titles(ast.parse(sys.stdin.read() if path == "-" else Path(path).read_text()), NOT_RUN):
        print(json.dumps({"file": path, "title": title}))

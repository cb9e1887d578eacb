"""The first lines of the docstrings of tests, but for those that may not run (titles.ts), each as JSON: titles.py FILE..., `-` reads a text."""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

MARKS = {"skip", "xfail", "expectedFailure"}
CALLS = {"skip", "xfail", "importorskip", "SkipTest"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def leaves(node: ast.AST, names: set[str]) -> bool:
    """Whether anything in it, at whatever depth, leaves a test. `skipif` on a condition says so where everybody sees it."""
    return any(is_leaving(part, names) for part in ast.walk(node))


def is_leaving(part: ast.AST, names: set[str]) -> bool:
    match part:
        case ast.Name(id=name) | ast.arg(arg=name):
            return name in names
        case ast.Attribute(value=ast.Name(id="pytest" | "unittest"), attr=attr):
            return attr in CALLS | MARKS
        case ast.Attribute(value=ast.Attribute(attr="mark") | ast.Name(id="mark"), attr=attr):
            return attr in MARKS
        case ast.Call(func=ast.Attribute(attr="skipif" | "skipIf"), args=args, keywords=keywords):
            condition = [*args[:1], *(keyword.value for keyword in keywords if keyword.arg == "condition")]
            return not condition or isinstance(condition[0], ast.Constant)
    return False


def rules_out(mark: ast.expr, names: set[str]) -> bool:
    """Of several cases, one that runs is enough."""
    match mark:
        case ast.Call(func=ast.Attribute(attr="parametrize"), args=args, keywords=keywords):
            values = [*args[1:2], *(keyword.value for keyword in keywords if keyword.arg == "argvalues")]
            cases = getattr(values[0], "elts", None) if values else []
            return cases is not None and all(leaves(case, names) for case in cases)
    return leaves(mark, names)


def named(group: ast.Module | ast.ClassDef, outer: set[str]) -> set[str]:
    """What leaves a test under a name: what is imported or assigned, and functions and fixtures that do so, also by way of others."""
    names = set(outer)
    for _ in group.body:
        before = len(names)
        for part in group.body:
            match part:
                case ast.ImportFrom(module="pytest" | "unittest", names=imported):
                    names |= {alias.asname or alias.name for alias in imported if alias.name in CALLS | MARKS}
                case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    names |= {name} if leaves(value, names) else set()
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not name.startswith("test") and leaves(part, names):
                    names.add(name)
        if len(names) == before:
            break
    return names


def may_leave(part: ast.stmt, names: set[str]) -> bool:
    """Whether a statement keeps those beside it from running: it leaves the file, or is a fixture of all that does."""
    match part:
        case ast.FunctionDef(name=name, decorator_list=marks) | ast.AsyncFunctionDef(name=name, decorator_list=marks):
            is_for_all = any(keyword.arg == "autouse" for mark in marks if isinstance(mark, ast.Call) for keyword in mark.keywords)
            return name in names and (is_for_all or name.startswith("setup"))
        case ast.ClassDef() | ast.ImportFrom():
            return False
        case ast.Assign() | ast.AnnAssign() if not any(isinstance(each, ast.Attribute) and each.attr == "importorskip" for each in ast.walk(part)):
            return False
    return leaves(part, names)


def titles(group: ast.Module | ast.ClassDef, outer: set[str]) -> Iterator[str]:
    """:param outer: the names under which something leaves a test"""
    names = named(group, outer)
    if "pytestmark" in names or any(may_leave(part, names) for part in group.body):
        return
    for part in group.body:
        if isinstance(part, Function) and part.name.startswith("test"):
            docstring = ast.get_docstring(part)
            inner = [part.args, *part.body]
            if docstring and not any(rules_out(mark, names) for mark in part.decorator_list) and not any(leaves(each, names) for each in inner):
                yield docstring.splitlines()[0]
        elif isinstance(part, ast.ClassDef) and part.name.startswith("Test") and not any(rules_out(mark, names) for mark in part.decorator_list):
            yield from titles(part, names)


for path in sys.argv[1:]:
    for title in titles(ast.parse(sys.stdin.read() if path == "-" else Path(path).read_text()), set()):
        print(json.dumps({"file": path, "title": title}))

"""Which files of a folder are nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from spindle_worker import nodes
from spindle_worker.nodes import refuse_misnamed

FOLDER = "spindle_worker/nodes"


def write(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shout.node.py", f"{FOLDER}/shout.node.py is no node under this name: call it shout_node.py"),
        ("shout.PY", f"{FOLDER}/shout.PY is no node under this name: call it shout.py"),
        ("loud/shout.py", f"{FOLDER}/loud/shout.py is no node in a subfolder: move it to {FOLDER}/shout.py"),
    ],
)
def test_a_file_that_is_not_found_is_named_with_what_to_write(tmp_path: Path, name: str, said: str) -> None:
    write(tmp_path, name)
    with pytest.raises(ValueError) as refused:
        refuse_misnamed(tmp_path)
    assert str(refused.value).startswith(said)


def test_such_a_file_keeps_the_worker_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "shout.node.py")
    monkeypatch.setattr(nodes, "__path__", [str(tmp_path)])
    with pytest.raises(ValueError, match=r"shout\.node\.py is no node under this name"):
        nodes.capabilities.__wrapped__()


def test_helpers_and_what_is_no_code_are_left_alone(tmp_path: Path) -> None:
    for name in [
        "shout.py",
        "shout-2.py",
        "_help.py",
        "__init__.py",
        "_loud/help.py",
        "__pycache__/shout.cpython-311.pyc",
        "about.md",
        ".#shout.py",
    ]:
        write(tmp_path, name)
    refuse_misnamed(tmp_path)

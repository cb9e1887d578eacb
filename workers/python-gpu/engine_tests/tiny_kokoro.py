"""Run with the engine's own Python: a model of Kokoro's shape that hums its phonemes. ONNX is written field by field, as no package here does."""

import json
import sys
from pathlib import Path

import numpy as np

FLOAT, INT64 = 1, 7


def number(value):
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


def field(index, value):
    """A varint, or bytes with their length."""
    if isinstance(value, int):
        return number(index << 3) + number(value)
    data = value.encode() if isinstance(value, str) else value
    return number(index << 3 | 2) + number(len(data)) + data


def port(name, kind, *sides):
    shape = b"".join(field(1, field(1, side) if isinstance(side, int) else field(2, side)) for side in sides)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def node(operation, inputs, output, attribute=b""):
    return (
        b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operation) + (field(5, attribute) if attribute else b"")
    )


cast = field(1, "to") + field(3, FLOAT) + field(20, 2)
repeats = field(1, 2) + field(2, INT64) + field(8, "repeats") + field(9, np.array([1, 600], np.int64).tobytes())
graph = (
    field(1, node("Cast", ["tokens"], "numbers", cast))
    + field(1, node("Tile", ["numbers", "repeats"], "long"))
    + field(1, node("Sin", ["long"], "audio"))
    + field(2, "hum")
    + field(5, repeats)
    + b"".join(field(11, value) for value in (port("tokens", INT64, 1, "n"), port("style", FLOAT, 1, 256), port("speed", FLOAT, 1)))
    + field(12, port("audio", FLOAT, 1, "m"))
)
model = field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))

paths = json.loads(sys.argv[1])
Path(paths["model"]).parent.mkdir(parents=True, exist_ok=True)
Path(paths["model"]).write_bytes(model)
with Path(paths["voices"]).open("wb") as file:
    np.savez(file, af_heart=np.zeros((510, 1, 256), np.float32))

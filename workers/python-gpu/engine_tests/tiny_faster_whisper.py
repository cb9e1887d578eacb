"""Run with the engine's own Python: a model of Whisper's shape with random weights, which hears words and understands none."""

import json
import sys
from pathlib import Path

import numpy as np
from ctranslate2.specs import WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

SIDE, MELS, HEADS = 32, 80, 2
SHAPES = {
    "conv1/weight": (SIDE, MELS, 3),
    "conv2/weight": (SIDE, SIDE, 3),
    "self_attention/linear_0/weight": (3 * SIDE, SIDE),
    "attention/linear_1/weight": (2 * SIDE, SIDE),
    "ffn/linear_0/weight": (4 * SIDE, SIDE),
    "ffn/linear_1/weight": (SIDE, 4 * SIDE),
}
paths = json.loads(sys.argv[1])
languages = [f"<|{code}|>" for code in _LANGUAGE_CODES if code != "yue"]
special = ["<|endoftext|>", "<|startoftranscript|>", *languages, "<|translate|>", "<|transcribe|>"]
special += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>", *(f"<|{step * 0.02:.2f}|>" for step in range(1501))]
words = [*(f"word{number}" for number in range(51864 - len(special))), ""]  # by the empty one a model of many languages is known
vocabulary = words + special
number = {token: index for index, token in enumerate(vocabulary)}

spec = WhisperSpec(1, HEADS, 1, HEADS)
drawn = np.random.default_rng(0)
spec.encoder.position_encodings.encodings = drawn.normal(0, 0.1, (1500, SIDE)).astype(np.float32)
spec.decoder.position_encodings.encodings = drawn.normal(0, 0.1, (448, SIDE)).astype(np.float32)


def fill(layer, name, value):
    if value is not None:
        return
    parts = name.split("/")
    shape = next((shape for end, shape in SHAPES.items() if name.endswith(end)), (SIDE, SIDE))
    if parts[-1] in ("beta", "gamma"):
        setattr(layer, parts[-1], np.full(SIDE, float(parts[-1] == "gamma"), np.float32))
    else:
        size = (len(vocabulary), SIDE) if parts[-2] in ("embeddings", "projection") else shape
        setattr(layer, parts[-1], drawn.normal(0, 0.5, size).astype(np.float32))


for name, value in spec.variables(ordered=True):
    layer = spec
    for part in name.split("/")[:-1]:
        head, _, index = part.rpartition("_")
        layer = getattr(layer, part) if hasattr(layer, part) else getattr(layer, head)[int(index)]
    fill(layer, name, value)
spec.register_vocabulary(vocabulary)
spec.config.lang_ids = [number[token] for token in languages]
spec.config.suppress_ids = []
spec.config.suppress_ids_begin = [number["<|endoftext|>"]]
spec.config.alignment_heads = [(0, 0)]
spec.validate()
spec.optimize()
folder = Path(paths["model"]).parent
folder.mkdir(parents=True, exist_ok=True)
spec.save(str(folder))
(folder / "vocabulary.json").unlink()
Path(paths["vocabulary"]).write_text("".join(f"{token}\n" for token in vocabulary))
tokenizer = Tokenizer(WordLevel(number, unk_token="word0"))
tokenizer.pre_tokenizer = WhitespaceSplit()
tokenizer.add_special_tokens(special)
tokenizer.save(paths["tokenizer"])

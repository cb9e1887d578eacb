"""Run with the engine's own Python: F5-TTS with random weights, too small to say a word."""

import json
import sys
from importlib.resources import files
from pathlib import Path

import torch
import yaml
from f5_tts.model import CFM, DiT
from f5_tts.model.utils import get_tokenizer
from safetensors.torch import save_file
from vocos import Vocos

VOCODER = {
    "feature_extractor": {
        "class_path": "vocos.feature_extractors.MelSpectrogramFeatures",
        "init_args": {"sample_rate": 24000, "n_fft": 1024, "hop_length": 256, "n_mels": 100, "padding": "center"},
    },
    "backbone": {
        "class_path": "vocos.models.VocosBackbone",
        "init_args": {"input_channels": 100, "dim": 32, "intermediate_dim": 64, "num_layers": 2},
    },
    "head": {"class_path": "vocos.heads.ISTFTHead", "init_args": {"dim": 32, "n_fft": 1024, "hop_length": 256, "padding": "center"}},
}
paths, options = json.loads(sys.argv[1]), json.loads(sys.argv[2])
torch.manual_seed(0)
vocabulary, size = get_tokenizer(str(files("f5_tts").joinpath("infer/examples/vocab.txt")), "custom")
model = CFM(transformer=DiT(**options["architecture"], text_num_embeds=size, mel_dim=100), vocab_char_map=vocabulary)
for parameter in model.parameters():
    torch.nn.init.normal_(parameter, std=0.05)
weights = {f"ema_model.{key}": value.contiguous() for key, value in model.state_dict().items()}
for path in paths.values():
    Path(path).parent.mkdir(parents=True, exist_ok=True)
save_file(weights, paths["model"])
Path(paths["vocoderConfig"]).write_text(yaml.safe_dump(VOCODER))
torch.save(Vocos.from_hparams(paths["vocoderConfig"]).state_dict(), paths["vocoder"])

"""Run with the engine's own Python: RealESRGAN's networks with random weights, for 2 and 4 times."""

import json
import sys
from pathlib import Path

import torch
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

paths = json.loads(sys.argv[1])
torch.manual_seed(0)
for key, more in (("x2", {"shuffle_factor": 2, "scale": 2}), ("x4", {"scale": 4})):
    Path(paths[key]).parent.mkdir(parents=True, exist_ok=True)
    torch.save(RRDBNet(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, **more).state_dict(), paths[key])

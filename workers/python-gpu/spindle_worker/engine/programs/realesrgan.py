"""RealESRGAN by spandrel: frames come from a pipe of ffmpeg's and go into another, in tiles that shrink where the memory is short."""

from __future__ import annotations

import io
import subprocess
from typing import Any

from ...errors import UserError
from ..program import Request, Work, serve

TILE = 512
SMALLEST_TILE = 64
OVERLAP = 16
"""Pixels that a tile sees of its neighbours, so that no seam shows."""


def load(setup: dict[str, Any]) -> Work:
    from spandrel import ImageModelDescriptor, ModelLoader

    loader = ModelLoader(device=setup["device"])
    models = {}
    for key, path in setup["files"].items():
        model = loader.load_from_file(path)
        assert isinstance(model, ImageModelDescriptor)
        models[model.scale] = model.train(False)
        if setup["device"] != "cpu" and model.supports_half:
            model.half()
        assert key == f"x{model.scale}", f"{path} enlarges {model.scale} times"
    return lambda request: upscale(request, models, setup["device"])


def upscale(request: Request, models: dict[int, Any], device: str) -> dict[str, Any]:
    import numpy as np
    import torch

    values = request.values
    width, height, frames = values["width"], values["height"], values["frames"]
    model = models[2 if values["scale"] == 2 else 4]
    written = 0
    with (
        subprocess.Popen(values["reader"], stdout=subprocess.PIPE) as reader,
        subprocess.Popen(values["writer"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as writer,
        torch.inference_mode(),
    ):
        assert reader.stdout is not None and writer.stdin is not None and writer.stderr is not None
        enlarge = Tiles(model, device)
        try:
            while len(raw := reader.stdout.read(width * height * 3)) == width * height * 3:
                picture = torch.from_numpy(np.frombuffer(raw, np.uint8).reshape(height, width, 3).copy()).permute(2, 0, 1)
                large = enlarge(picture).permute(1, 2, 0).contiguous().numpy()
                writer.stdin.write(large.tobytes())
                written += 1
                request.progress(min(0.98, 0.98 * written / max(1, frames)), step=written, steps=max(written, frames))
                if written % 5 == 1:
                    request.preview(as_jpeg(large), "image/jpeg", width=large.shape[1], height=large.shape[0])
            writer.stdin.close()
        except BrokenPipeError:
            pass  # ffmpeg says why below
        words = writer.stderr.read().decode(errors="replace").strip()
    if writer.returncode != 0:
        raise UserError(f"ffmpeg could not write the video: {words[-300:]}")
    if written == 0:
        raise UserError("The video has no frame that can be read.")
    return {"frames": written}


class Tiles:
    """Enlarges pictures piece by piece. Where the memory does not suffice the pieces are halved, for all that follow too."""

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self._device = device
        self.size = TILE

    def __call__(self, picture: Any) -> Any:
        """:param picture: 3 x height x width, 8 bit; so is the result, larger by the model's scale"""
        import torch

        while True:
            try:
                return self._enlarged(picture)
            except torch.OutOfMemoryError:
                if self.size <= SMALLEST_TILE:
                    raise
                self.size //= 2
                torch.cuda.empty_cache()

    def _enlarged(self, picture: Any) -> Any:
        import torch

        scale = self._model.scale
        _, height, width = picture.shape
        result = torch.empty((3, height * scale, width * scale), dtype=torch.uint8)
        kind = torch.float16 if self._model.dtype == torch.float16 else torch.float32
        for top in range(0, height, self.size):
            for left in range(0, width, self.size):
                bottom, right = min(top + self.size, height), min(left + self.size, width)
                above, before = max(0, top - OVERLAP), max(0, left - OVERLAP)
                piece = picture[:, above : min(height, bottom + OVERLAP), before : min(width, right + OVERLAP)]
                large = self._model(piece.unsqueeze(0).to(self._device, kind) / 255)[0].float().clamp(0, 1).mul(255).round().byte().cpu()
                y, x = (top - above) * scale, (left - before) * scale
                result[:, top * scale : bottom * scale, left * scale : right * scale] = large[
                    :, y : y + (bottom - top) * scale, x : x + (right - left) * scale
                ]
        return result


def as_jpeg(picture: Any) -> bytes:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=80)
    return data.getvalue()


if __name__ == "__main__":
    serve(load)

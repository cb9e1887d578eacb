"""RealESRGAN by spandrel: frames come from a pipe of ffmpeg's and go into another, in tiles that shrink where the memory is short."""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

from ...errors import UserError, is_out_of_memory, shortened
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
    import torch

    tiles = Tiles(models[2 if request.values["scale"] == 2 else 4], device)

    def enlarge(frame: Any) -> Any:
        return tiles(torch.from_numpy(frame.copy()).permute(2, 0, 1)).permute(1, 2, 0).contiguous().numpy()

    with torch.inference_mode():
        return each_frame(request, enlarge, as_jpeg)


def each_frame(request: Request, enlarge: Callable[[Any], Any], as_preview: Callable[[Any], bytes]) -> dict[str, Any]:
    """From the reader's pipe into the writer's.

    :param enlarge: gets and gives height x width x 3, 8 bit
    :param as_preview: such a picture as JPEG
    """
    import numpy as np

    values = request.values
    width, height, frames = values["width"], values["height"], values["frames"]
    written = 0
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(values["reader"], stdout=subprocess.PIPE) as reader,
        subprocess.Popen(values["writer"], stdin=subprocess.PIPE, stderr=errors) as writer,
    ):
        assert reader.stdout is not None and writer.stdin is not None
        try:
            while len(raw := reader.stdout.read(width * height * 3)) == width * height * 3:
                large = enlarge(np.frombuffer(raw, np.uint8).reshape(height, width, 3))
                writer.stdin.write(large.tobytes())
                written += 1
                request.progress(min(0.98, 0.98 * written / max(1, frames)), step=written, steps=max(written, frames))
                if written % 5 == 1:
                    request.preview(as_preview(large), "image/jpeg", width=large.shape[1], height=large.shape[0])
            writer.stdin.close()
        except BrokenPipeError:
            reader.kill()  # ffmpeg says why below
        writer.wait()
        errors.seek(0)
        words = errors.read().decode(errors="replace")
    if written == 0:
        raise UserError("The video has no frame that can be read.")
    if writer.returncode != 0:
        raise UserError(f"ffmpeg could not write the video: {shortened(words)}")
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
            except Exception as error:
                if not is_out_of_memory(error) or self.size <= SMALLEST_TILE:
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

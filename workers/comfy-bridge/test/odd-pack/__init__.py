"""Nodes that are odd in the ways that nodes of real packs are. Copy this folder into a ComfyUI's `custom_nodes`.

Nothing here needs a model. The product never loads it: the recordings beside it are what ComfyUI says of it.
"""

import time

import torch
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker, GraphBuilder
from PIL import Image

CATEGORY = "odd"
CHOICES = ["left", "right"]


def picture(value: float, width: int = 16, height: int = 16) -> torch.Tensor:
    return torch.full((1, height, width, 3), value)


class Odd:
    """Has one function and no inputs, where a class says nothing else."""

    CATEGORY = CATEGORY
    FUNCTION = "run"
    RETURN_TYPES: tuple = ()

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}


class OddChoice(Odd):
    """Gives one of a list: its type is the list, and so is its name, for it names no outputs."""

    RETURN_TYPES = ("STRING", CHOICES)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"side": (CHOICES,)}}

    def run(self, side):
        return (f"{side} hand", side)


class OddNames(Odd):
    """Names its outputs by lists, none and nothing."""

    RETURN_TYPES = ("INT", "FLOAT", "BOOLEAN")
    RETURN_NAMES = (["a", "b"], None, "")

    def run(self):
        return (1, 2.5, True)


class OddCombos(Odd):
    """Choices as a list and as options, of numbers, of nothing, several at once; defaults that are no choice."""

    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "old": (CHOICES, {"default": "right"}),
                "new": ("COMBO", {"options": CHOICES}),
                "numbers": ([8, 16, 32], {"default": 16}),
                "mixed": (["auto", 1, 2.5, True],),
                "stray": (CHOICES, {"default": "up"}),
                "several": ("COMBO", {"options": CHOICES, "multiselect": True, "default": ["left"]}),
            },
            "optional": {"none": ([],)},
        }

    def run(self, old, new, numbers, mixed, stray, several, none=None):
        return (" ".join(map(repr, (old, new, numbers, mixed, stray, several, none))),)


class OddNumbers(Odd):
    """Numbers as text, both kinds at once, and bounds that are infinite or missing."""

    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "text": ("FLOAT", {"default": "1.5", "step": "0.5"}),
                "both": ("INT,FLOAT", {"default": 0.25}),
                "wide": ("INT", {"default": 7, "min": -(2**63), "max": 2**64 - 1}),
                "plain": ("FLOAT",),
            }
        }

    def run(self, text, both, wide, plain):
        return (f"{text} {both} {wide} {plain}",)


class OddV3(io.ComfyNode):
    """Newer schema: choices, an output that is a choice, tooltips and names that are shown."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="OddV3",
            display_name="Odd: new schema",
            category=CATEGORY,
            inputs=[
                io.Combo.Input("side", options=CHOICES, display_name="Side", tooltip="Where."),
                io.MultiType.Input(io.Float.Input("amount", default=0.5, min=0, max=1), types=[io.Int]),
                io.String.Input("words", multiline=True, optional=True),
            ],
            outputs=[io.Combo.Output(display_name="Side"), io.Float.Output(display_name="Amount")],
        )

    @classmethod
    def execute(cls, side, amount, words="") -> io.NodeOutput:
        return io.NodeOutput(side, float(amount))


class AnyKey(dict):
    """Has every key, so that inputs of a choice reach the node by their names."""

    def __contains__(self, key):
        return True

    def __getitem__(self, key):
        return ("*", {})


class OddDynamic(Odd):
    """Describes inputs of each choice as newer servers do."""

    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        def option(key, **required):
            return {"key": key, "inputs": {"required": required}}

        width = ("INT", {"default": 64, "min": 16, "max": 128})
        options = [
            option("scale", by=("FLOAT", {"default": 2.0}), method=(["bilinear", "area"],)),
            option("size", width=width, height=width, method=(["lanczos", "area"],)),
        ]
        return {
            "required": {"mode": ("COMFY_DYNAMICCOMBO_V3", {"options": options}), "after": ("INT", {"default": 3})},
            "optional": AnyKey(),
        }

    def run(self, **inputs):
        return (" ".join(f"{name}={inputs[name]}" for name in sorted(inputs)),)


class OddExpand(Odd):
    """Becomes as many nodes as it is told."""

    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "times": ("INT", {"default": 2, "min": 0, "max": 8})}}

    def run(self, image, times):
        graph = GraphBuilder()
        for _ in range(times):
            image = graph.node("ImageInvert", image=image).out(0)
        return {"result": (image,), "expand": graph.finalize()}


class OddLazy(Odd):
    """Asks for the one input that it needs."""

    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "second": ("BOOLEAN", {"default": False}),
                "a": ("IMAGE", {"lazy": True}),
                "b": ("IMAGE", {"lazy": True}),
            }
        }

    def check_lazy_status(self, second, a=None, b=None):
        return ["b"] if second else ["a"]

    def run(self, second, a=None, b=None):
        return (b if second else a,)


class OddBlocker(Odd):
    """Blocks what comes after it: with words if it has some, else silently."""

    RETURN_TYPES = ("IMAGE", "IMAGE")
    RETURN_NAMES = ("blocked", "free")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "words": ("STRING", {"default": ""})}}

    def run(self, image, words):
        return (ExecutionBlocker(words or None), image)


class OddDeaf(Odd):
    """Sleeps without a look at interrupts."""

    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seconds": ("FLOAT", {"default": 1.0, "min": 0, "max": 600}), "number": ("INT", {"default": 0})}}

    def run(self, seconds, number):
        time.sleep(seconds)
        return (picture(0.5),)


class OddSteps(Odd):
    """Tells each step, with a preview, and can be interrupted between two."""

    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"steps": ("INT", {"default": 4, "min": 1}), "number": ("INT", {"default": 0})}}

    def run(self, steps, number):
        bar = ProgressBar(steps)
        for step in range(steps):
            throw_exception_if_processing_interrupted()
            shown = Image.new("RGB", (32, 32), (step * 255 // steps, 0, 0))
            bar.update_absolute(step + 1, steps, ("JPEG", shown, 64))
            time.sleep(0.05)
        return (picture(1.0),)


class OddLists(Odd):
    """Gives lists: each element is a value of its own to what comes after."""

    RETURN_TYPES = ("IMAGE", "INT", "STRING", "FLOAT", "BOOLEAN")
    RETURN_NAMES = ("images", "numbers", "texts", "shares", "flags")
    OUTPUT_IS_LIST = (True, True, True, True, True)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT", {"default": 3, "min": 0, "max": 16})}}

    def run(self, count):
        numbers = list(range(count))
        shades = [number / max(1, count) for number in numbers]
        return ([picture(shade) for shade in shades], numbers, [f"text {n}\nsecond line" for n in numbers], shades, [n % 2 == 0 for n in numbers])


class OddJoin(Odd):
    """Takes whole lists."""

    INPUT_IS_LIST = True
    RETURN_TYPES = ("STRING", "INT")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"texts": ("STRING", {"forceInput": True}), "between": ("STRING", {"default": "|"})}}

    def run(self, texts, between):
        return (between[0].join(texts), len(texts))


class OddCaption(Odd):
    """Describes a picture: shows words and gives them, as captioners do."""

    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("caption",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    def run(self, image):
        words = [f"{one.shape[1]} x {one.shape[0]}" for one in image]
        return {"ui": {"text": words, "tags": [words]}, "result": ("\n".join(words),)}


class OddTagger(Odd):
    """Shows words about a picture under a key of its own, and gives nothing."""

    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    def run(self, image):
        return {"ui": {"tags": ["square" if image.shape[1] == image.shape[2] else "long"]}}


class OddQuiet(Odd):
    """Is run for its own sake and shows nothing, as nodes do that send what they have elsewhere."""

    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    def run(self, image):
        print("The quiet node writes this to the log.")
        return {}


class OddFail(Odd):
    """Raises."""

    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    def run(self, image):
        print("The failing node says this before it fails.")
        raise ValueError("odd, as it should be")


class OddText(Odd):
    """Has a name with slashes, a quotation mark and a picture character."""

    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("wört/er 🦄",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"who/what 🦄": ("STRING", {"default": "nobody"})}}

    def run(self, **inputs):
        return (f"hello {inputs['who/what 🦄']}",)


V1 = [
    OddChoice,
    OddNames,
    OddCombos,
    OddNumbers,
    OddDynamic,
    OddExpand,
    OddLazy,
    OddBlocker,
    OddDeaf,
    OddSteps,
    OddLists,
    OddJoin,
    OddCaption,
    OddTagger,
    OddQuiet,
    OddFail,
]
NODE_CLASS_MAPPINGS = {
    **{node.__name__: node for node in V1},
    "OddV3": OddV3,
    'Odd/Text "🦄" (odd)': OddText,
}

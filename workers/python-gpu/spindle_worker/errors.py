"""What a node's function may raise; the class of a failure decides whether there is another try (DESIGN E10).

Only the standard library is imported: an engine's program has this module too, and none of the worker's packages.
"""


def shortened(words: str, most: int = 600) -> str:
    """What a program wrote. Where it wrote much, its beginning, which has the cause, and its end."""
    words = words.strip()
    return words if len(words) <= most else f"{words[: most * 2 // 3]} [...] {words[-most // 3 :]}"


OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate memory",
    "status_alloc_failed",
    "bad_alloc",
)
PASSING = (
    *("no space left on device", "input/output error", "too many open files", "resource temporarily unavailable"),
    *("device or resource busy", "devices are busy or unavailable", "stale file handle"),
)


def is_out_of_memory(error: BaseException) -> bool:
    """PyTorch's class is not imported here; other libraries raise a RuntimeError that says so."""
    words = str(error).lower()
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    # The block is a loader's, of a fixed size: no memory is short.
    return named or ("static tls block" not in words and any(sign in words for sign in OUT_OF_MEMORY))


def is_passing(error: BaseException) -> bool:
    """The machine's trouble, which may be over at the next try: a full disk, for instance. The system's words are the same in every library."""
    words = str(error).lower()
    return any(sign in words for sign in PASSING)


class UserError(Exception):
    """The node cannot work with what it was given; another try would end the same."""


class TransientError(Exception):
    """Something outside failed and may be well again."""


class RefusedError(Exception):
    """The runtime refused a call of the worker. The same call would be refused again."""


class InstallationError(Exception):
    """The engine's packages or programs are missing or broken; another try would end the same, for every task.

    :param cause: in a line, where the message says more
    """

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause or message


def install_again(engine: str) -> str:
    """What a person does about packages that do not work."""
    return (
        f"Install them again: npx spindle engine install {engine}. "
        f"If the cause lies elsewhere, as in the GPU's driver, mend it and run: npx spindle engine check {engine}."
    )


class EngineError(Exception):
    """The engine failed in a way that its program has no words for."""


class OutputMissingError(EngineError):
    """The engine ended well, and without something that it must give.

    :param outputs: the fields of the capability's output that are missing
    """

    def __init__(self, *outputs: str) -> None:
        super().__init__(f"The engine ended without {', '.join(outputs)}.")
        self.outputs = outputs


class EngineEndedError(Exception):
    """The engine's process ended in the middle of its work."""

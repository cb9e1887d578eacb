"""What a node's function may raise; the class of a failure decides whether there is another try (DESIGN E10).

Only the standard library is imported: an engine's program has this module too, and none of the worker's packages.
"""


class UserError(Exception):
    """The node cannot work with what it was given; another try would end the same."""


class TransientError(Exception):
    """Something outside failed and may be well again."""


class RefusedError(Exception):
    """The runtime refused a call of the worker. The same call would be refused again."""


class InstallationError(Exception):
    """The engine's packages or programs are missing or broken; another try would end the same, for every task."""


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

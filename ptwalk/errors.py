"""What can go wrong, in words that say what to do next.

Storey 0: imports nothing of ptwalk.  Every error that ptwalk raises on purpose is a `PtwalkError`,
so that the command line and the notebooks can show its sentence instead of a traceback.
"""


class PtwalkError(Exception):
    """Something a user can put right; the text says what happened and what to do next."""

    def _render_traceback_(self) -> list[str]:
        # A notebook shows these lines instead of a traceback through the library.
        return [f"{type(self).__name__}: {self}"]


class MissingMemory(PtwalkError):
    """A physical address was read that the capture or the simulated machine does not hold."""

    def __init__(self, address: int, reason: str = "") -> None:
        self.address = address
        super().__init__(reason or f"physical address {address:#x} is not in this memory")


class CaptureError(PtwalkError):
    """A core or its sidecar cannot be used as it is; the text says what to do instead."""


class AddressError(PtwalkError):
    """Something that is no 64-bit address was given where one is needed."""

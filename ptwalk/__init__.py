"""ptwalk: learn safe page-table walking, and check a walker before sending the patch.

The façade: a short list of names, each fetched from its room when it is first used, so that `import ptwalk` loads
next to nothing.  It may know every room.  To offer a further name, add it to `_HOME` and to the imports above it.
Two verbs have the names of rooms, `explore` and `scenarios`: here the verb is meant, always; to get at the room, write
`from ptwalk.explore.search import ...`.  In a notebook it also tells IPython which picture belongs to which value.
"""

import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptwalk.arch import FORMAT_NAMES, Entry, Format, format_named
    from ptwalk.capture import open_capture
    from ptwalk.checks.failed import failed
    from ptwalk.checks.own_words import own_words
    from ptwalk.checks.verbs import check, hint, problem, progress, solution, start
    from ptwalk.commands.stepper import stepper
    from ptwalk.errors import PtwalkError
    from ptwalk.trace.walk import WalkRecord
    from ptwalk.trials import check_walker, explore, matrix, replay, scenarios
    from ptwalk.views.explorers import entry_explorer, walk_explorer

_HOME = {
    "ptwalk.arch": ("FORMAT_NAMES", "Entry", "Format", "format_named"),
    "ptwalk.capture": ("open_capture",),
    "ptwalk.checks.verbs": ("check", "hint", "problem", "progress", "solution", "start"),
    "ptwalk.checks.failed": ("failed",),
    "ptwalk.checks.own_words": ("own_words",),
    "ptwalk.commands.stepper": ("stepper",),
    "ptwalk.errors": ("PtwalkError",),
    "ptwalk.trace.walk": ("WalkRecord",),
    "ptwalk.trials": ("check_walker", "explore", "matrix", "replay", "scenarios"),
    "ptwalk.views.explorers": ("entry_explorer", "walk_explorer"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

# Which module of `views` draws which value in a notebook, by its function `html`.
_PICTURES = {
    ("ptwalk.arch.entry", "Entry"): "ptwalk.views.entry",
    ("ptwalk.trace.walk", "WalkRecord"): "ptwalk.views.walk",
    ("ptwalk.trials.matrix", "Matrix"): "ptwalk.views.matrix",
}

__version__: str
__all__ = [
    "FORMAT_NAMES",
    "Entry",
    "Format",
    "PtwalkError",
    "WalkRecord",
    "__version__",
    "check",
    "check_walker",
    "entry_explorer",
    "explore",
    "failed",
    "format_named",
    "hint",
    "matrix",
    "open_capture",
    "own_words",
    "problem",
    "progress",
    "replay",
    "scenarios",
    "solution",
    "start",
    "stepper",
    "walk_explorer",
]


class _Face(ModuleType):
    # Importing a room binds its name here; where a verb has the same name, the verb stays.
    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in _MODULE_OF):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> Any:
    """Fetch a public name from its room, once."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("ptwalk")
    elif name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"ptwalk has no {name!r}; it offers {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register_pictures() -> None:
    """Tell a running IPython how to draw our values; neither it nor a view is imported for that."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", None)
    if not formatters:
        return
    for (module, name), view in _PICTURES.items():

        def html(value: object, view: str = view) -> str:
            return str(import_module(view).html(value))

        formatters["text/html"].for_type_by_name(module, name, html)
    if shell is not None and hasattr(
        shell, "kernel"
    ):  # a notebook, which can show the stepper, not a terminal
        shell.events.register("post_run_cell", _show_race)


def _show_race(result: Any) -> None:
    """Below what a check says of a race, the stepper on it, three steps before the end."""
    race = getattr(result.error_in_exec, "race", None)
    if race is None:
        return
    from ptwalk.commands.stepper import stepper
    from ptwalk.views.stepper import show

    with suppress(Exception):  # the words stand there already, and the line that opens it by hand
        show(stepper(*race, step=-4))


_register_pictures()

"""The verbs of the command line, one module each, part of `cli`.

A verb's module has `register(verbs)`: it adds its parser with `verbs.add_parser(name, help=…)` and names
its function with `set_defaults(run=…)`, which takes the parsed arguments and returns the exit code.
It prints its answer to stdout and raises a `PtwalkError` for bad input. What takes long is imported in
`run`, so that `ptwalk --help` stays quick.
"""

MODULES: tuple[str, ...] = (
    "walk",
    "maps",
    "decode",
    "explore",
    "replay",
    "matrix",
    "scenarios",
    "conformance",
    "check",
    "watch",
    "progress",
    "reset",
    "grade",
    "doctor",
)
"""The modules, in the order in which --help lists their verbs."""

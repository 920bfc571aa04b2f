"""The rooms and arrows of docs/architecture.md, kept by reading the syntax tree of every module of ptwalk.

Nothing of ptwalk is imported here, but in fresh interpreters at the end.  The tables on top are the contract;
`docs/architecture.md` shows the same in words, and a test compares the two.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ptwalk"

# Which rooms a room may import, besides itself. The façade (ptwalk/__init__.py) and the command line may import all.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "arch": {"errors"},
    "trace": {"arch", "errors"},
    "machine": {"trace", "arch", "errors"},
    "kernel": {"machine", "trace", "arch", "errors"},
    "capture": {"machine", "trace", "arch", "errors"},
    "explore": {"machine", "trace", "errors"},
    "sanitizers": {"trace", "arch", "errors"},
    "views": {"trace", "arch", "errors"},
    "walk": {"kernel", "machine", "trace", "arch", "errors"},
    "actors": {"walk", "kernel", "machine", "trace", "arch", "errors"},
    "scenarios": {"actors", "walk", "kernel", "sanitizers", "machine", "trace", "arch", "errors"},
    "recordings": {"trace", "arch", "errors"},
    "conformance": {"recordings", "actors", "walk", "kernel", "machine", "trace", "arch", "errors"},
    "trials": {
        "scenarios",
        "actors",
        "walk",
        "kernel",
        "explore",
        "sanitizers",
        "machine",
        "trace",
        "arch",
        "errors",
    },
    "checks": {
        "trials",
        "scenarios",
        "actors",
        "walk",
        "kernel",
        "capture",
        "explore",
        "sanitizers",
        "recordings",
    }
    | {"machine", "trace", "arch", "errors"},
}
TOP = {"__init__", "__main__", "cli", "commands"}

# Who may import what is not in the standard library: inside the function that uses it, so that nothing is loaded
# before it is needed; at once only in a module that is itself imported late, as the last test shows.
OUTSIDE: dict[str, set[str]] = {
    "elftools": {"capture"},
    "numpy": {"capture", "views"},
    "matplotlib": {"views"},
    "IPython": {"views"},
    "ipywidgets": {"views"},
    "anywidget": {"views"},
    "traitlets": {"views"},
}
AT_ONCE = {"elftools"}
LATE_MODULES = {"capture/translate", "views/stepper"}  # and each `…widget…` of `views`: it subclasses one
HEAVY = sorted(set(OUTSIDE) | {"mpl_toolkits", "PIL", "pytest", "jupyterlab"})

OLDEST = (3, 11)
LONGEST = 400
EMPTY_WORDS = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}

MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))
every_module = pytest.mark.parametrize("module", MODULES)


@dataclass(frozen=True)
class Import:
    """One imported module, as an absolute dotted name, and how it is imported."""

    name: str
    line: int
    inside_function: bool
    types_only: bool


@cache
def tree(module: str) -> ast.Module:
    """Return the syntax tree of a module, such as `arch/entry`."""
    source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    return ast.parse(source, filename=f"ptwalk/{module}.py", feature_version=OLDEST)


def room(module: str) -> str:
    """Return the room of a module: its folder below ptwalk, or its own name at the top."""
    return module.split("/")[0]


def imports(module: str) -> Iterator[Import]:
    """Yield every import statement of a module, and each `import_module("...")` with a literal name."""

    def visit(node: ast.AST, inside: bool, types: bool) -> Iterator[Import]:
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(alias.name, node.lineno, inside, types)
            case ast.ImportFrom():
                package = ["ptwalk", *module.split("/")]
                start = ".".join(package[: len(package) - node.level]) if node.level else ""
                target = ".".join(filter(None, [start, node.module]))
                names = [f"{target}.{alias.name}" for alias in node.names] if target == "ptwalk" else [target]
                for name in names:
                    yield Import(name, node.lineno, inside, types)
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called),
                args=[ast.Constant(value=str(name)), *_],
            ):
                if called in ("import_module", "__import__"):
                    absolute = f"ptwalk.{room(module)}{name}" if name.startswith(".") else name
                    yield Import(absolute, node.lineno, inside, types)
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from visit(child, inside, True)
            for child in node.orelse:
                yield from visit(child, inside, types)
        else:
            for child in ast.iter_child_nodes(node):
                yield from visit(child, inside, types)

    yield from visit(tree(module), False, False)


def test_every_room_is_in_the_table() -> None:
    """A new folder or top-level module has to be given its place among the rooms before it can be used."""
    unknown = {room(module) for module in MODULES} - set(ROOMS) - TOP
    assert not unknown, (
        f"give {sorted(unknown)} a place in ROOMS of tests/test_architecture.py, and in docs/architecture.md"
    )


def test_arrows_only_run_down() -> None:
    """The table itself has no circle: rooms can be put on storeys so that every arrow runs down."""
    below: set[str] = set()
    while len(below) < len(ROOMS):
        free = {name for name, arrows in ROOMS.items() if arrows <= below} - below
        assert free, f"the arrows between {sorted(set(ROOMS) - below)} form a circle"
        below |= free


@every_module
def test_imports_follow_the_arrows(module: str) -> None:
    """Each import of ptwalk's own modules runs along an arrow."""
    if room(module) in TOP:
        return
    mine = room(module)
    for found in imports(module):
        if found.name.partition(".")[0] != "ptwalk":
            continue
        target = found.name.removeprefix("ptwalk").strip(".").partition(".")[0] or "the façade"
        assert target == mine or target in ROOMS[mine], (
            f"ptwalk/{module}.py, line {found.line}: {mine} may not import {target}. "
            f"It may import {', '.join(sorted(ROOMS[mine])) or 'nothing of ptwalk'}: move the code to a room "
            "that knows both, take the value as an argument, or let the caller join them (docs/architecture.md)"
        )


@every_module
def test_outside_packages_stay_in_their_rooms(module: str) -> None:
    """The core needs the standard library alone; numpy, matplotlib and widgets are reached late and in few rooms."""
    for found in imports(module):
        package = found.name.partition(".")[0]
        if package == "ptwalk" or package in sys.stdlib_module_names:
            continue
        where = f"ptwalk/{module}.py, line {found.line}: "
        allowed = OUTSIDE.get(package, set())
        assert room(module) in allowed, f"{where}{room(module)} may not import {package}; " + (
            f"only {', '.join(sorted(allowed))} may"
            if allowed
            else "no room may: it is no dependency of ptwalk"
        )
        late = found.inside_function or found.types_only or package in AT_ONCE or is_late(module)
        assert late, (
            f"{where}import {package} inside the function that uses it, so that 'import ptwalk' stays quick"
        )


def is_late(module: str) -> bool:
    """Say whether a module is imported only when it is needed, so that it may import heavy packages at once."""
    return module in LATE_MODULES or (room(module) == "views" and "widget" in module.rpartition("/")[2])


@every_module
def test_module_reads_well(module: str) -> None:
    """Each module says what it is for, is short, and is named after a thing."""
    where = f"ptwalk/{module}.py"
    assert ast.get_docstring(tree(module)), (
        f"{where}: say in the first lines what room this is and what it may know"
    )
    length = len((PACKAGE / f"{module}.py").read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST, (
        f"{where} has {length} lines, the most is {LONGEST}: look for the second noun inside"
    )
    words = set(module.replace("/", "_").split("_"))
    assert not words & EMPTY_WORDS, (
        f"{where}: {sorted(words & EMPTY_WORDS)} names nothing; use the field's own noun"
    )


@every_module
def test_public_names_are_explained(module: str) -> None:
    """Each public class and function of a module, and each public method, has a docstring or inherits its meaning."""
    missing = []
    for node in tree(module).body:
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            overload = any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
            if not overload and not ast.get_docstring(node):
                missing.append(f"{node.name} (line {node.lineno})")
    assert not missing, (
        f"ptwalk/{module}.py: give {', '.join(missing)} a sentence that a learner can read aloud"
    )


def test_architecture_page_shows_the_same_arrows() -> None:
    """docs/architecture.md lists each room with exactly the rooms that it may import."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name, arrows in ROOMS.items():
        row = next((line for line in page.splitlines() if line.startswith(f"| `{name}`")), None)
        assert row, f"docs/architecture.md: add a row for `{name}` to the table of rooms"
        shown = set(row.rstrip("| ").rpartition("|")[2].replace("`", "").replace(",", " ").split()) - {
            "nothing"
        }
        assert shown == arrows, (
            f"docs/architecture.md: the row of `{name}` must show the arrows {sorted(arrows)}"
        )


FRESH = """
import sys
import {module}
loaded = sorted({{name.partition(".")[0] for name in sys.modules}} & set({heavy}))
sys.exit(f"import {module} also loads {{', '.join(loaded)}}" if loaded else 0)
"""


@pytest.mark.parametrize(
    "module",
    [
        "ptwalk",
        *(
            f"ptwalk.{name}"
            for name in sorted({room(module) for module in MODULES} - {"__init__", "__main__"})
        ),
    ],
)
def test_import_is_light(module: str) -> None:
    """A fresh interpreter that imports ptwalk, or one of its rooms, loads neither numpy nor matplotlib nor a widget."""
    script = FRESH.format(
        module=module, heavy=set(HEAVY) - ({"elftools"} if module == "ptwalk.capture" else set())
    )
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr.strip()

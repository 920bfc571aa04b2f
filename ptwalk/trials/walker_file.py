"""A walker out of somebody's own file: `my_walker.py:walker`.

Room: trials.  The file is run once, as an import would run it.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from ptwalk.trials.own_walker import NotAWalker


def walker_in(text: str) -> Any:
    """The function that `FILE.py:FUNCTION` names; the function may be left out if the file has only one async one.

    Raises `NotAWalker` with the line if the file cannot be read or run, or has no such function.
    """
    file, _, name = text.partition(".py:")
    path = Path(file if file.endswith(".py") else file + ".py")
    module = _run(path)
    walkers = {
        key: value
        for key, value in vars(module).items()
        if inspect.iscoroutinefunction(value) and value.__module__ == module.__name__
    }
    if not name:
        if len(walkers) == 1:
            return next(iter(walkers.values()))
        raise NotAWalker(
            f"say which function: {path.name}:FUNCTION; it has {', '.join(walkers) or 'no async function'}"
        )
    found = getattr(module, name, None)
    if found is None:
        near = difflib.get_close_matches(name, list(vars(module)), n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(walkers) or 'no async function'}"
        raise NotAWalker(f"{path.name} has no function {name!r}; {hint}")
    return found


def _run(path: Path) -> Any:
    if not path.is_file():
        raise NotAWalker(
            f"there is no file {path}; give the path of a Python file, then a colon and the function's name"
        )
    name = f"_walker_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NotAWalker(f"{path} cannot be read as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise NotAWalker(f"{path.name}, line {error.lineno}: {error.msg}") from None
    except Exception as error:
        lines = [
            entry.lineno
            for entry in traceback.extract_tb(error.__traceback__)
            if Path(entry.filename).name == path.name
        ]
        where = f", line {lines[-1]}" if lines else ""
        missing = _NO_SUCH_NAME.match(str(error)) if isinstance(error, ImportError) else None
        if missing is not None and missing[2].startswith("ptwalk"):
            raise NotAWalker(f"{path.name}{where}: {_instead_of(missing[1], missing[2])}") from None
        raise NotAWalker(
            f"{path.name}{where}: running the file raised {type(error).__name__}: {error}"
        ) from None
    finally:
        sys.path.pop(0)
    return module


_NO_SUCH_NAME = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
# C's accessors that are written otherwise here, by pattern; "entry" is what `await pmd.read()` gave.
_IN_C = (
    (r"(p..d?|pte)_none", "none(entry)"),
    (r"(p..d?|pte)_present", "entry.linux_present"),
    (r"(p..d?)_(leaf|large|trans_huge|huge)|pmd_trans_huge", "leaf(entry)"),
    (r"(p..d?|pte)_bad", "bad(entry)"),
    (r"(p..d?|pte)_same", "same(entry, other)"),
    (r"(pte|pmd)_young", "entry.accessed"),
    (r"(pte|pmd)_dirty", "entry.dirty"),
    (r"(pte|pmd)_write", "entry.writable"),
    (r"(pte|pmd)_pfn|pfn_to_page|pte_page|pmd_page", "page_of(mm, entry)"),
    (r"READ_ONCE|(ptep|pmdp|pudp|p4dp|pgdp)_get(_lockless)?", "await pte.read()"),
    (r"set_(pte|pmd|pud)(_at)?|WRITE_ONCE", "await pte.write(raw)"),
    (r"(pte|pmd|pud)_clear", "await pte.clear()"),
    (r"(ptep|pmdp)_get_and_clear", "await pte.get_and_clear()"),
    (r"(ptep|pmdp)_(test_and_)?clear_young", "await pte.test_and_clear_young()"),
    (
        r"(pte|pmd)_(mkold|mkclean|mkdirty|mkyoung|wrprotect)",
        "await pte.update('mkold'), or 'wrprotect', ...",
    ),
    (r"ptep_set_wrprotect", "await pte.update('wrprotect')"),
)


def _instead_of(name: str, module: str) -> str:
    """What to write instead of a name that a module of ptwalk does not have."""
    for pattern, instead in _IN_C:
        if re.fullmatch(pattern, name):
            return f"{module} has no {name}; here it is written {instead} (docs/check-your-own-walker.md)"
    near = difflib.get_close_matches(name, dir(sys.modules[module]), n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else "docs/check-your-own-walker.md lists the names"
    return f"{module} has no {name}; {hint}"

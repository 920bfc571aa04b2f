"""The page `docs/conformance.md`, made from the tables and from the comparisons themselves.

Room: conformance. `python -m ptwalk.conformance` prints it; a test holds the page to what this makes.
"""

from __future__ import annotations

from collections.abc import Iterable

from ptwalk.conformance.comparison import Comparison
from ptwalk.conformance.differences import DIFFERENCES, MERGED
from ptwalk.conformance.evidence import ATTESTED, not_attested
from ptwalk.conformance.projection import SILENT

_HEAD = """\
# Does the simulated kernel do what Linux does?

ptwalk ships recordings of a real kernel ([what they are](../ptwalk/recordings/data/README.md)): which locks it
took, which entries it read and wrote, what it flushed and freed, in order. For each recorded operation the simulator
is given the same address space, runs its own code for the operation alone, and its steps are told in the words of the
recordings. The two lists are then laid side by side. Every step must be in both, in the same order, unless a table on
this page says why not.

This page is made by `python -m ptwalk.conformance`; a test compares the two. `ptwalk conformance` prints the
comparisons, `ptwalk conformance FILE.json` does the same for a recording of your own, of whatever kernel: the simulated
one is then the newest preset that is not newer. How tables are freed is a choice of the build and no release says it:
it is read off the recording. `--release` and `--axis` choose another kernel.

## How two runs are compared

- Both say the same words: `pmd[0]:clear` is a plain store of 0 into the first PMD entry of the range, `ptl(...)`
  a table's lock, `B.` the second process, `dst.` the place that mremap moves to.
- The addresses are those of the recording; of its pages only the watched ones are laid out.
- Equal words in a row count once, in both runs. So *how often in a row* an entry was loaded is not compared.
- Reference counts are compared by their change: absolute values hold references of lists that are not
  modelled.
- `irq:off` and `irq:on` are compared although the recorder saw them late.
- Steps are matched in order, with as few unexplained ones as can be. A difference that no entry below covers fails the
  tests, and so does an entry that no recording needs. A test also drops each word of each simulated run in turn, and
  exchanges each two neighbours: the comparison must notice, but for words that the table has as "in the model only".
"""


def page(comparisons: Iterable[Comparison]) -> str:
    """The whole page as Markdown."""
    done = list(comparisons)
    return "\n".join(
        [
            _HEAD,
            *_results(done),
            "",
            *_differences(done),
            "",
            *_merged(),
            "",
            *_silent(),
            "",
            *_evidence(),
            "",
        ]
    )


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _results(done: list[Comparison]) -> list[str]:
    rows = [
        _row(
            c.name, f"`{c.by}`".replace(", ", "`, `"), c.matched, len(c.meant),
            ", ".join(dict.fromkeys(p.difference.name for p in c.meant if p.difference)) or "none",
        )
        for c in done
        if not c.not_modelled
    ]  # fmt: skip
    kernels = ", ".join(sorted({f"Linux {c.kernel} beside the preset {c.preset}" for c in done}))
    total = sum(c.matched for c in done)
    meant = sum(len(c.meant) for c in done)
    return [
        "## What came out",
        "",
        f"{kernels}: {total} steps alike, {meant} differences that are meant, none that is not.",
        "",
        _row("recording", "simulated by", "alike", "meant", "which"),
        "| --- | --- | ---: | ---: | --- |",
        *rows,
    ]


def _differences(done: list[Comparison]) -> list[str]:
    counts = {d.name: sum(p.difference is d for c in done for p in c.meant) for d in DIFFERENCES}
    where = {"recorded": "in Linux only", "simulated": "in the model only", "moved": "in another place"}
    return [
        "## Differences that are meant",
        "",
        _row("difference", "step", "where", "steps", "why"),
        "| --- | --- | --- | ---: | --- |",
        *(
            _row(d.name, _steps(d.word, d.through), where[d.side], counts[d.name], d.reason)
            for d in DIFFERENCES
        ),
    ]


def _steps(word: str, through: str | None) -> str:
    if through is None:
        return f"`{_plain(word)}`"
    return f"`{_plain(word)}` to {f'`{_plain(through)}`' if through else 'the end'}"


def _plain(pattern: str) -> str:
    """A pattern as a reader would write it."""
    for ugly, plain in (
        (r"(?:B\.|dst\.)?(?:deposited-)?(?:pgd|p4d|pud|pmd|pte)-table(?:\[\d+\])?", "TABLE"),
        (r"(?:page\[\d+\]|hugepage)", "PAGE"),
        (r"(?:B\.|dst\.)?", ""),
        (r"(_\w+)?", ""),
        (r"\[\d+\]", "[i]"),
        (r"\d+", "N"),
        (r"\w+", "…"),
        ("(?:\\(fullmm\\)|)", ""),
        (r"<[^>]*>.*", "<task>…"),
        ("(?:", "("),
        ("\\", ""),
    ):
        pattern = pattern.replace(ugly, plain)
    return pattern


def _merged() -> list[str]:
    return [
        "## One step of the model, several of the kernel's",
        "",
        "The recordings show these apart; in the model nothing can come between them.",
        "",
        _row("words", "why"),
        "| --- | --- |",
        *(_row(", ".join(f"`{_plain(word)}`" for word in m.words), m.reason) for m in MERGED),
    ]


def _evidence() -> list[str]:
    return [
        "## What the recordings say about the preset",
        "",
        "With the other choice the comparison named here fails (a test tries each). The recordings say nothing about"
        f" {', '.join(f'`{name}`' for name in not_attested())}: those show when CPUs race, or in operations that nobody"
        " recorded, and rest on the sources named in `ptwalk/kernel/config.py`.",
        "",
        _row("axis", "6.1", "not", "because of"),
        "| --- | --- | --- | --- |",
        *(_row(f"`{e.axis}`", e.chosen(), e.instead, e.recording) for e in ATTESTED),
    ]


def _silent() -> list[str]:
    return [
        "## Steps of the model that were not watched in the kernel",
        "",
        "They have no word, so nothing is said about their place.",
        "",
        _row("step", "why"),
        "| --- | --- |",
        *(_row(f"`{kind}`", why) for kind, why in SILENT.items()),
    ]

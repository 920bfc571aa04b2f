"""The words in which a run of the real kernel and a simulated run are compared.

Room: conformance. A word is what one step did, such as `ptl(pte-table[0]):lock`; indices count from the start of the
range that the operation is about. Words that are not known here are kept and told, never refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LEVEL = "(?:pgd|p4d|pud|pmd|pte)"
OF = r"(?:B\.|dst\.)?"  # the second process; the place that mremap moves to
TABLE = rf"{OF}(?:deposited-)?{LEVEL}-table(?:\[\d+\])?"
ENTRY = rf"{OF}{LEVEL}\[\d+\]"
PAGE = r"(?:page\[\d+\]|hugepage)"

_KNOWN = re.compile(
    "|".join(
        (
            rf"{OF}mmap_lock:(?:read_lock|read_unlock|write_lock|write_unlock|downgrade)",
            r"(?:anon_vma|i_mmap_rwsem):(?:read|write)_(?:lock|unlock)",
            rf"(?:ptl\({TABLE}\)|page_table_lock(?:\(\w+\))?):(?:lock|unlock)",
            rf"{ENTRY}:(?:read|clear|clear\(xchg\)|set|set_table|set_huge|change)",
            rf"{TABLE}:(?:alloc|queue_free|dtor|free\((?:direct|rcu)\)|deposit|withdraw)",
            rf"{PAGE}:(?:alloc|free|ref[+-]1|rmap_add|rmap_remove)",
            rf"{OF}flush:(?:begin|send_ipi|broadcast|cpu\d+\((?:local|ipi)\))",
            r"table_sync:(?:send_ipi\(tlb_remove_table_sync_one\)|cpu\d+\(ipi\))",
            rf"{OF}tlb_gen:inc|{OF}tlb_flush_pending:(?:inc|dec)|mmu_gather:(?:begin|begin\(fullmm\)|finish)",
            r"vma:(?:gather|detach|insert|split|revalidate)",
            r"irq:(?:off|on)",
            r"fault:(?:lock_mm_and_find_vma|handle_mm_fault)|gup:slow_path",
            r"exit_mmap|collapse_file|collapse_and_free_pmd",
        )
    )
)
_LOOP = re.compile(r"(<[^>]*>)?loop\*(\d+)\{(.*)\}")
_REFERENCE = re.compile(r"(.*:ref )(\d+)->(\d+)")
_TASK = re.compile(r"^<[^>]*>")
_CPU = re.compile(r"(?<=:cpu)\d+(?=\()")
_ANSWER = re.compile(r".*:cpu(\d+)\(ipi\)")
_REMARK = re.compile(r"\((?:IF at the next event|inferred)\)")


@dataclass(frozen=True, slots=True)
class Spoken:
    """One word of a run: what was said, at which step of that run (counted from 0), and how often if it was a loop."""

    word: str
    step: int
    loop: int = 0

    @property
    def known(self) -> bool:
        """Whether this is a word of the vocabulary; another task's words are, whatever they say."""
        return bool(_KNOWN.fullmatch(self.word)) or self.word.startswith("<")


def canonical(word: str) -> str:
    """The word without what cannot be compared: absolute reference counts, and how the recorder knew about IRQs."""
    counted = _REFERENCE.fullmatch(word)
    if counted:
        up = int(counted[3]) > int(counted[2])
        return f"{counted[1].rstrip()}{'+' if up else '-'}1"
    if word.endswith((":free(rcu)", ":dtor")):  # an RCU callback runs in whatever task the interrupt finds
        return _TASK.sub("", word)
    return _REMARK.sub("", word) if word.startswith("irq:") else word


def as_from_cpu_0(words: Iterable[str], doer: int) -> list[str]:
    """The words with CPU numbers changed so that the CPU that did the operation is 0, as in the simulated run."""
    swapped = {str(doer): "0", "0": str(doer)}
    return [_CPU.sub(lambda number: swapped.get(number[0], number[0]), word) for word in words]


def cpus_flushed(words: Iterable[str]) -> set[int]:
    """The CPUs that flushes reached, by IPI or at home."""
    return {int(number[0]) for word in words if "flush:" in word and (number := _CPU.search(word))}


def spoken(words: Iterable[str]) -> list[Spoken]:
    """The words of a recording, step by step; a loop is written out once, and equal words in a row stand once."""
    out: list[Spoken] = []
    for number, word in enumerate(words):
        loop = _LOOP.fullmatch(word)
        if loop is None:
            parts, times = [word], 0
        else:
            parts, times = [(loop[1] or "") + part for part in loop[3].split(", ")], int(loop[2])
        out += [Spoken(canonical(part), number, times) for part in parts]
    return without_repeats(_in_order_of_cpus(out))


def _in_order_of_cpus(said: list[Spoken]) -> list[Spoken]:
    """CPUs answer an IPI all at once: which of them was seen first means nothing."""
    out: list[Spoken] = []
    answers: list[tuple[int, Spoken]] = []
    for each in [*said, None]:
        answer = _ANSWER.fullmatch(each.word) if each is not None else None
        if each is not None and answer is not None:
            answers.append((int(answer[1]), each))
            continue
        out += [one for _, one in sorted(answers, key=lambda pair: pair[0])]
        answers = []
        if each is not None:
            out.append(each)
    return out


def without_repeats(said: Iterable[Spoken]) -> list[Spoken]:
    """Equal words in a row once, as recordings are written: kernels load an upper entry several times in a row."""
    out: list[Spoken] = []
    for each in said:
        if not out or (out[-1].word, out[-1].loop) != (each.word, each.loop):
            out.append(each)
    return out

"""Answers to 02.3: marks by the machine and by a TLB's books, and by the ideas that people have instead."""

from ptwalk.checks.changes.marks import MISTAKES, books, draw, played

SEED = 1


def by_the_tlb():
    """Right: keeps what each CPU's TLB holds."""
    entry, tlb, told = set(), {}, []
    for line in draw(SEED).lines:
        if line == "flush":
            tlb = {}
        elif line.startswith("mk"):
            entry.discard({"mkold": "A", "mkclean": "D"}[line])
        elif line[4] not in tlb or (line.endswith("stores") and "D" not in tlb[line[4]]):
            entry |= {"A", "D"} if line.endswith("stores") else {"A"}
            tlb[line[4]] = set(entry)
        told.append(("A" if "A" in entry else "-") + ("D" if "D" in entry else "-"))
    return told


RIGHT = {"by the machine": lambda: [marks for marks, _ in played(draw(SEED).lines)], "by the TLB": by_the_tlb}
WRONG = {
    "as shipped": (lambda: [None] * 12, "none of the marks"),
    "nothing": (lambda: None, "Give a list of 12 marks"),
    "D without A": (lambda: ["-D", *by_the_tlb()[1:]], "CPU 1 walked here"),
    **{name: (lambda name=name: books(draw(SEED).lines, name), words) for name, words in MISTAKES.items()},
}


def SECRETS():
    """The whole list of marks never stands in a line."""
    return [repr(by_the_tlb())]

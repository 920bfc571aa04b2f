"""Answers to 01.3: state() in two right ways and in the wrong ways that people write."""


def questions(word, level, types):
    """Right: Linux's questions in Linux's order."""
    if word & ~0x60 == 0:
        return "none"
    if word & 1:
        return "table" if level != "pte" and not word & 0x80 else "leaf"
    if word & 0x100:
        return "prot-none"
    if level == "pmd" and word & 0x80:
        return "split"
    return types.get(word >> 59, "swap")


def by_masks(word, level, types):
    """Right: a table of (mask, value), first match wins."""
    upper = level != "pte"
    rows = [
        (0xFFFF_FFFF_FFFF_FF9F, 0, "none", True),
        (0x81, 0x01, "table", upper),
        (0x01, 0x01, "leaf", True),
        (0x101, 0x100, "prot-none", True),
        (0x81, 0x80, "split", level == "pmd"),
    ]
    for mask, value, name, applies in rows:
        if applies and word & mask == value:
            return name
    return {**dict.fromkeys(range(32), "swap"), **types}[word >> 59]


def wrong(
    none=lambda word: not word & ~0x60,
    present=lambda word: word & 1,
    leaf=lambda word, level: level == "pte" or word & 0x80,
    hidden=lambda word: word & 0x100,
    split=lambda word, level: level == "pmd" and word & 0x80,
    kind=lambda word, types: types.get(word >> 59, "swap"),
    order=("hidden", "split"),
):
    """A state() with one thing changed."""

    def state(word, level, types):
        if none(word):
            return "none"
        if present(word):
            return "leaf" if leaf(word, level) else "table"
        for name in order:
            if name == "hidden" and hidden(word):
                return "prot-none"
            if name == "split" and split(word, level):
                return "split"
        return kind(word, types)

    return state


RIGHT = {"questions in order": lambda: questions, "masks and values": lambda: by_masks}
WRONG = {
    "as shipped": (lambda: lambda word, level, types: None, "Every word has a state"),
    "bit 0 only": (lambda: wrong(hidden=lambda word: False), "Linux counts this as present and keeps a frame"),
    "not zero is present": (
        lambda: wrong(present=lambda word: word),
        "neither bit 0 nor bit 8 nor bit 7",
    ),
    "no split": (lambda: wrong(split=lambda word, level: False), "pmd_present() stays true"),
    "0x60 is swap": (lambda: wrong(none=lambda word: word == 0), "Linux looks past them"),
    "migration called swap": (lambda: wrong(kind=lambda word, types: "swap"), "the type in bits 63:59 decides"),
    "the numbers of one release": (
        lambda: wrong(kind=lambda w, types: "migration" if w >> 59 in (23, 24, 25) else types.get(w >> 59, "swap")),
        "types of 7.1",
    ),
    "bit 7 ends the walk in a pte only": (lambda: wrong(leaf=lambda word, level: level == "pte"), "tells a huge page"),
    "bit 7 decides everywhere": (lambda: wrong(leaf=lambda word, level: word & 0x80), "here the walk ends"),
    "bit 7 asked before bit 8": (lambda: wrong(order=("split", "hidden")), "A huge page with PROT_NONE"),
    "type from bit 58": (
        lambda: wrong(kind=lambda word, types: types.get(word >> 58 & 31, "swap")),
        "The type is five bits",
    ),
    "a name of its own": (lambda: lambda word, level, types: "empty", "none of the names"),
    "True": (lambda: lambda word, level, types: bool(word & 1), "none of the names in STATES"),
    "split at every level": (
        lambda: wrong(split=lambda word, level: word & 0x80),
        "bit 7 says split in a pmd only",
    ),
    "mutters": (lambda: lambda word, level, types: object(), "<object object>, which is none of the names"),
    "raises on a type": (lambda: wrong(kind=lambda word, types: types[word >> 59]), "raised KeyError"),
}  # fmt: skip

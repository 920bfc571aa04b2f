"""Answers to 01.4: right by two ways, and the slips people make with inverted bits."""

from ptwalk.checks.page_tables.spot import draw

SEED = 1
FRAME = 0x000F_FFFF_FFFF_F000


def parts():
    """The two positions and their words."""
    words = draw(SEED).words
    hidden = next(at for at, word in enumerate(words) if word & 0x101 == 0x100)
    swapped = next(at for at, word in enumerate(words) if word & 0x101 == 0)
    return hidden, words[hidden], swapped, words[swapped]


def right(**changed):
    """The right answer, with what a wrong one changes."""
    hidden, frame, swapped, place = parts()
    return {
        "prot_none": hidden,
        "frame": (~frame & FRAME) >> 12,
        "swapped": swapped,
        "type": place >> 59,
        "offset": (~place >> 9) & (1 << 50) - 1,
    } | changed


def by_xor():
    """The other right way: flip with exclusive or, then shift."""
    _, frame, _, place = parts()
    offset = ((place ^ (2**64 - 1)) << 5 & 2**64 - 1) >> 14
    return right(frame=(frame ^ FRAME) % 2**52 // 4096, offset=offset, type=place // 2**59)


def other_leaf():
    """A word that the hardware maps."""
    return next(at for at, word in enumerate(draw(SEED).words) if word & 1)


RIGHT = {"masks": right, "exclusive or": by_xor}
WRONG = {
    "as shipped": (lambda: right(prot_none=None, offset=None), "Still to fill in: prot_none, offset"),
    "not a dict": (lambda: [1, 2], "dict with the keys"),
    "swapped and hidden mixed up": (
        lambda: right(prot_none=parts()[2], swapped=parts()[0]),
        "Which of the two kinds",
    ),
    "a page the hardware maps": (lambda: right(prot_none=other_leaf()), "has bit 0 set"),
    "counted from one": (lambda: right(swapped=6), "numbered 0 to 5"),
    "frame not inverted": (lambda: right(frame=(parts()[1] & FRAME) >> 12), "far past this machine's memory"),
    "address for frame": (lambda: right(frame=~parts()[1] & FRAME), "is the address of the page"),
    "frame with bits above 51": (lambda: right(frame=(~parts()[1] & (1 << 64) - 1) >> 12), "bits above 51"),
    "offset not inverted": (
        lambda: right(offset=parts()[3] >> 9 & (1 << 50) - 1),
        "No swap area is that large",
    ),
    "offset below zero": (lambda: right(offset=~(parts()[3] >> 9)), "below zero"),
    "offset from bit 12": (lambda: right(offset=(~parts()[3] >> 12) & (1 << 50) - 1), "At which bit"),
    "type inverted": (lambda: right(type=(~parts()[3] >> 59) & 31), "Only the offset is stored inverted"),
    "a float": (lambda: right(type=0.5), "not a whole number"),
}

"""Answers to 05.3: by a filter, by running the walker; and what people forget of its tests."""

from ptwalk.checks.munmap.words import changed, draw

SEED = 1
FRAME = 0xFF_FFFF_FFFF


def filtered(present=0x101, young=0x20, clear=0x20, lru=True, inverted=True, index=lambda i: i):
    """The walker's tests as a filter, with what people get wrong as parameters."""
    found = {}
    for i, word in enumerate(draw(SEED).words):
        frame = word >> 12 & FRAME
        if inverted and not word & 1 and word & 0x100:
            frame = ~frame & FRAME
        if word & present and (word & young or not young) and (frame in draw(SEED).lru or not lru):
            found[index(i)] = word & ~clear
    return found


def SECRETS():
    """What no failing check may say."""
    return [f"{index}: {word:#x}" for index, word in changed(SEED).items()]


def one_missing():
    """The right answer without one of its words."""
    right = filtered()
    del right[next(index for index in right if draw(SEED).words[index] & 1)]
    return right


RIGHT = {"filter": filtered, "run the walker": lambda: dict(changed(SEED))}
WRONG = {
    "nothing": (lambda: None, "There is nothing to check"),
    "a list": (lambda: list(filtered()), "Hand in a dict"),
    "index times 8": (lambda: filtered(index=lambda i: 8 * i), "you gave the byte"),
    "neighbouring word": (lambda: filtered(index=lambda i: i + 1), "Word"),
    "all that are present": (lambda: filtered(lru=False), "no page on the LRU list"),
    "PROT_NONE forgotten": (lambda: filtered(present=0x1), "Bit 0 is clear there"),
    "bit 6": (lambda: filtered(clear=0x40, young=0x40), "That is dirty"),
    "not young ones too": (lambda: filtered(young=0), "this entry is not young"),
    "not present ones too": (lambda: filtered(present=0x107), "bits 0 and 8 are clear"),
    "frame not inverted": (lambda: filtered(inverted=False), "stored inverted"),
    "bit 0 cleared as well": (lambda: filtered(clear=0x21), "v34 changes one bit"),
    "every word as it is": (lambda: dict(enumerate(draw(SEED).words)), "Word 0, "),
    "text for numbers": (lambda: {i: hex(w) for i, w in filtered().items()}, "a str, not a whole number"),
    "none of them": (lambda: {}, "45 more words change"),
    "one missing": (one_missing, "What does v34 test"),
    "same words": (lambda: filtered(clear=0), "gave back the same word"),
}

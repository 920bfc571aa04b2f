"""Answers to 01.2: translate() in two right ways and in the wrong ways that people write."""

from ptwalk.errors import MissingMemory

FRAME = 0x000F_FFFF_FFFF_F000


def canonical(va):
    """Bits 63:47 all equal."""
    return va >> 47 in (0, 0x1FFFF)


def loop(read, root, va):
    """Right: a loop over shifts."""
    if not canonical(va):
        return None
    table = root
    for shift, may_end in ((39, False), (30, True), (21, True), (12, True)):
        entry = read(table + 8 * (va >> shift & 511))
        if entry & 1 == 0:
            return None
        if shift == 12 or (may_end and entry & 0x80):
            low = (1 << shift) - 1
            return (entry & FRAME & ~low) | va & low
        table = entry & FRAME


def recursion(read, root, va):
    """Right: recursion over levels."""

    def at(table, level):
        entry = read(table + va // 512 ** (level - 1) // 4096 % 512 * 8)
        if not entry % 2:
            return None
        if level == 1 or (level < 4 and entry >> 7 & 1):
            size = 4096 * 512 ** (level - 1)
            return entry % 2**52 // size * size + va % size
        return at(entry & FRAME, level - 1)

    top = va >> 47
    return at(root, 4) if top == 0 or top == 2**17 - 1 else None


def variant(
    present=lambda entry: entry & 1,
    ends=lambda entry, shift: shift == 12 or (shift < 39 and entry & 0x80),
    check=canonical,
    frame=lambda entry, shift: entry & FRAME & -(1 << shift),
    offset=lambda va, shift: va & (1 << shift) - 1,
    fault=None,
    swallow=False,
):
    """A translate() with one thing changed."""

    def translate(read, root, va):
        if not check(va):
            return fault
        table = root
        for shift in (39, 30, 21, 12):
            try:
                entry = read(table + 8 * (va >> shift & 511))
            except MissingMemory:
                if swallow:
                    return None
                raise
            if not present(entry):
                return fault
            if ends(entry, shift):
                return frame(entry, shift) + offset(va, shift)
            table = entry & FRAME
        return fault

    return translate


def raises(read, root, va):
    """Fails with an error of its own."""
    return {}[va]


async def coroutine(read, root, va):
    """Async where plain is wanted."""
    return loop(read, root, va)


def forever(read, root, va):
    """Never moves to the next table."""
    while True:
        read(root)


def stubborn(read, root, va):
    """Never ends and swallows every interruption."""
    while True:
        try:  # noqa: SIM105
            read(root)
        except BaseException:
            pass


def generator(read, root, va):
    """Yields instead of returning."""
    yield loop(read, root, va)


def nothing(read, root, va):
    """The exercise as shipped."""
    ...


def deep(read, root, va):
    """Calls itself without an end."""
    return deep(read, root, va)


def table_of_answers(read, root, va):
    """A lucky answer: right for one address only."""
    return {0x10010: 0x1428D0010}.get(va, 0x1428D0000 + (va & 0xFFF))


def bit_strings(read, root, va):
    """Right: as one does it on paper."""
    bits = f"{va:064b}"
    if len(set(bits[:17])) > 1:
        return None
    table = root
    for at in (16, 25, 34, 43):
        entry = f"{read(table + 8 * int(bits[at : at + 9], 2)):064b}"
        if entry[-1] == "0":
            return None
        if at == 43 or (at > 16 and entry[-8] == "1"):
            return int(entry[12 : at + 9] + bits[at + 9 :], 2)
        table = int(entry[12:52] + "0" * 12, 2)


_seen = {}


def remembers_addresses(read, root, va):
    """Keeps what it found, and forgets that there are two processes."""
    if va not in _seen:
        _seen[va] = loop(read, root, va)
    return _seen[va]


def prints(read, root, va):
    """Says it instead of giving it back."""
    print(loop(read, root, va))


RIGHT = {"loop": lambda: loop, "recursion": lambda: recursion, "bit strings": lambda: bit_strings}
WRONG = {
    "as shipped": (lambda: nothing, "Is it still empty?"),
    "if entry:": (lambda: variant(present=lambda entry: entry), "in swap"),
    "bit 0 or bit 8, as Linux asks": (lambda: variant(present=lambda entry: entry & 0x101), "not Linux"),
    "no PS at pud": (
        lambda: variant(ends=lambda entry, shift: shift == 12 or (shift == 21 and entry & 0x80)),
        "1 GiB page. You went one level too far",
    ),
    "no PS at all": (
        lambda: variant(ends=lambda entry, shift: shift == 12),
        "2 MiB page. You went one level",
    ),
    "PS asked in the pte": (
        lambda: variant(ends=lambda entry, shift: shift < 39 and entry & 0x80),
        "gave None",
    ),
    "bit 7 refused in the pte": (
        lambda: variant(ends=lambda entry, shift: (shift == 12) != bool(shift < 39 and entry & 0x80)),
        "There bit 7 is PAT",
    ),
    "no look at the address": (lambda: variant(check=lambda va: True), "before it reads any table"),
    "only the user half": (
        lambda: variant(check=lambda va: va < 1 << 47),
        "in the kernel half, and it is mapped",
    ),
    "48 bits compared, not 47": (lambda: variant(check=lambda va: va >> 48 in (0, 0xFFFF)), "Bit 47 is set"),
    "only bit 47 looked at": (
        lambda: variant(check=lambda va: (va >> 47 & 1) == (va >> 48 & 1)),
        "Not all of its bits 63 to 47",
    ),
    "missing memory is None": (lambda: variant(swallow=True), "Unknown is not unmapped"),
    "bit 12 of a large leaf kept": (
        lambda: variant(frame=lambda entry, shift: entry & FRAME),
        "a 2 MiB entry has bit 12 set",
    ),
    "bit 63 kept": (
        lambda: variant(frame=lambda entry, shift: entry & ~((1 << shift) - 1)),
        "more than 52 bits",
    ),
    "no offset": (lambda: variant(offset=lambda va, shift: 0), "byte inside the page is missing"),
    "12 bits of offset everywhere": (
        lambda: variant(offset=lambda va, shift: va & 0xFFF),
        "right page, the wrong byte",
    ),
    "frames up to 40 bits": (
        lambda: variant(frame=lambda entry, shift: entry & 0xFF_FFFF_F000 & -(1 << shift)),
        "very top of memory",
    ),
    "0 for a fault": (lambda: variant(fault=0), "A number is an answer"),
    "right for one address": (lambda: table_of_answers, "another frame"),
    "remembers addresses": (lambda: remembers_addresses, "0x4e502b: you answered"),
    "prints": (lambda: prints, "None for every address that was tried"),
    "only accessed pages": (
        lambda: variant(present=lambda entry: entry & 0x21 == 0x21),
        "It had asked read()",
    ),
    "only the user's": (lambda: variant(present=lambda entry: entry & 5 == 5), "asked read() 1 times"),
    "text": (lambda: lambda read, root, va: hex(loop(read, root, va) or 0), "a str, not a whole number"),
    "raises": (lambda: raises, "raised KeyError"),
    "async": (lambda: coroutine, "async def"),
    "a generator": (lambda: generator, "Use return"),
    "the result, not the function": (lambda: 0x1000, "You handed in an int"),
    "two parameters": (lambda: lambda read, va: None, "can't be called as"),
    "calls itself": (lambda: deep, "until Python gave up"),
}
ENDLESS = {"endless loop": forever, "endless and stubborn": stubborn}

"""Answers to 01.5: the arm64 walk in two right ways and in the wrong ways that people write."""

from ptwalk.errors import MissingMemory

FRAME = 0x0000_FFFF_FFFF_F000


def loop(read, ttbr0, ttbr1, va):
    """Right: a loop over shifts."""
    half = va >> 48 & 0xFF
    if half not in (0, 0xFF):
        return None
    table = (ttbr1 if half else ttbr0) & 0xFFFF_FFFF_FFFE
    for shift in (39, 30, 21, 12):
        entry = read(table + 8 * (va >> shift & 511))
        if entry & 3 == 3 and shift > 12:
            table = entry & FRAME
        elif entry & 3 == (3 if shift == 12 else 1) and shift != 39:
            return (entry & FRAME & -(1 << shift)) | va & (1 << shift) - 1
        else:
            return None


def recursion(read, ttbr0, ttbr1, va):
    """Right: recursion over hardware levels 0 to 3."""

    def at(table, level):
        size = 1 << 39 - 9 * level
        entry = read(table + va // size % 512 * 8)
        kind = {
            (0, 3): "table",
            (1, 3): "table",
            (2, 3): "table",
            (1, 1): "leaf",
            (2, 1): "leaf",
            (3, 3): "leaf",
        }
        match kind.get((level, entry % 4)):
            case "table":
                return at(entry % 2**48 // 4096 * 4096, level + 1)
            case "leaf":
                return entry % 2**48 // size * size + va % size
        return None

    upper = va // 2**48 % 256
    return {0: lambda: at(ttbr0 % 2**48 // 2 * 2, 0), 255: lambda: at(ttbr1 % 2**48 // 2 * 2, 0)}.get(
        upper, lambda: None
    )()


def variant(
    halves=lambda va: va >> 48 & 0xFF,
    kernel=lambda va: va >> 55 & 1,
    register=lambda value: value & 0xFFFF_FFFF_FFFE,
    valid=lambda entry: entry & 1,
    ends=lambda entry, shift: shift == 12 or entry & 3 == 1,
    refuse=lambda entry, shift: (shift == 12 and entry & 3 == 1) or (shift == 39 and entry & 3 == 1),
    table_of=lambda entry: entry & FRAME,
    frame=lambda entry, shift: entry & FRAME & -(1 << shift),
    offset=lambda va, shift: va & (1 << shift) - 1,
    swallow=False,
):
    """A translate_arm64() with one thing changed."""

    def translate_arm64(read, ttbr0, ttbr1, va):
        if halves(va) not in (0, 0xFF):
            return None
        table = register(ttbr1 if kernel(va) else ttbr0)
        for shift in (39, 30, 21, 12):
            try:
                entry = read(table + 8 * (va >> shift & 511))
            except MissingMemory:
                if swallow:
                    return None
                raise
            if not valid(entry) or refuse(entry, shift):
                return None
            if ends(entry, shift):
                return frame(entry, shift) + offset(va, shift)
            table = table_of(entry)

    return translate_arm64


RIGHT = {"loop": lambda: loop, "recursion": lambda: recursion}
WRONG = {
    "as shipped": (lambda: lambda read, ttbr0, ttbr1, va: None, "is mapped (small page)"),
    "x86-64's bit 7": (lambda: variant(ends=lambda e, s: s == 12 or e & 0x80), "its block descriptor"),
    "register with its ASID": (lambda: variant(register=lambda value: value), "an address: ASID and CnP"),
    "register with CnP": (
        lambda: variant(register=lambda value: value & (1 << 48) - 1),
        "not a multiple of 8, so no entry",
    ),
    "ttbr0 for everything": (lambda: variant(kernel=lambda va: 0), "Which of the two registers"),
    "upper bits not looked at": (lambda: variant(halves=lambda va: 0), "belongs to neither half"),
    "x86-64's address mask": (
        lambda: variant(frame=lambda e, s: e & 0x000F_FFFF_FFFF_F000 & -(1 << s)),
        "bits above 47",
    ),
    "not zero is valid": (
        lambda: variant(valid=lambda e: e, ends=lambda e, s: s == 12 or e & 3 != 3, refuse=lambda e, s: False),
        "that page is in swap",
    ),
    "bit 58 counts as valid": (lambda: variant(valid=lambda e: e & (1 | 1 << 58)), "Linux keeps a frame"),
    "01 at the last level": (lambda: variant(refuse=lambda e, s: s == 39 and e & 3 == 1), "only 11 maps a page"),
    "a block at the top": (lambda: variant(refuse=lambda e, s: s == 12 and e & 3 == 1), "no blocks of 512 GiB"),
    "access flag asked": (
        lambda: variant(valid=lambda e: e & 1 and (e & 3 == 3 or e & 1 << 10)),
        "The access flag of its descriptor is clear",
    ),
    "12 bits of offset": (lambda: variant(offset=lambda va, shift: va & 0xFFF), "How much of the address is offset"),
    "upper bits of a table kept": (
        lambda: variant(table_of=lambda e: e & 0xFFFF_FFFF_FFFF_F000),
        "Bits above 47 of a descriptor",
    ),
    "missing memory is None": (lambda: variant(swallow=True), "let read()'s error through"),
}  # fmt: skip

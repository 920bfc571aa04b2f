"""Answers to 01.1: right ones by two ways, wrong ones that people give, each with words it must get."""

from ptwalk.checks.page_tables.by_hand import draw
from ptwalk.checks.shipped import reader

ADDRESS = 0x000F_FFFF_FFFF_F000
SEED = 1


def walk(va, shifts, stride=8, mask=ADDRESS, index_of=lambda va, shift: va >> shift & 511):
    """Rows of a walk, with what people get wrong as parameters."""
    read, table, rows = reader(), draw(SEED).root, []
    for shift in shifts:
        index = index_of(va, shift)
        right = draw(SEED).root if not rows else rows[-1][2] & ADDRESS
        rows.append((index, table + stride * index, read(right + 8 * (va >> shift & 511))))
        table = rows[-1][2] & mask
    return rows


def answer(small_end=0xFFF, huge_end=0x1F_FFFF, keep=ADDRESS, **how):
    """A whole answer."""
    two = draw(SEED)
    small, huge = walk(two.small, (39, 30, 21, 12), **how), walk(two.huge, (39, 30, 21), **how)
    last = huge[-1][2] & keep & ~0x1F_FFFF if huge_end > 0xFFF else huge[-1][2] & keep
    return [
        (small, (small[-1][2] & keep) + (two.small & small_end)),
        (huge, last + (two.huge & huge_end)),
    ]


def by_divmod():
    """The other right way: page number divided by 512 again and again."""
    two, read = draw(SEED), reader()
    parts = []
    for va, levels in ((two.small, 4), (two.huge, 3)):
        number, indices = va >> 12, []
        for _ in range(4):
            number, index = divmod(number, 512)
            indices.insert(0, index)
        table, rows = two.root, []
        for index in indices[:levels]:
            rows.append([index, table + index * 8, read(table + index * 8)])
            table = rows[-1][2] % (1 << 52) // 4096 * 4096
        page = 1 << 12 if levels == 4 else 1 << 21
        parts.append([rows, rows[-1][2] % (1 << 52) // page * page + va % page])
    return parts


def too_far():
    """Goes one level further after a huge entry."""
    right = answer()
    row = (5, (right[1][0][-1][2] & ADDRESS) + 40, 0)
    return [right[0], ([*right[1][0], row], right[1][1])]


def too_short():
    """Stops a row early."""
    right = answer()
    return [(right[0][0][:3], right[0][1]), right[1]]


def misread():
    """Copies one digit of an entry wrongly."""
    right = answer()
    index, address, raw = right[0][0][2]
    rows = [*right[0][0][:2], (index, address, raw ^ 0x10000), right[0][0][3]]
    return [(rows, right[0][1]), right[1]]


def half():
    """Only the small one."""
    return [answer()[0], (None, None)]


RIGHT = {"shifts": answer, "divmod": by_divmod}
WRONG = {
    "nothing": (lambda: None, "nothing to check"),
    "half": (half, "huge: give its rows"),
    "not a list": (lambda: 0x1000, "two parts"),
    "entry address = table + index": (lambda: answer(stride=1), "An entry is 8 bytes"),
    "flags kept in the table's address": (lambda: answer(mask=(1 << 63) - 1), "Its low 12 bits are flags"),
    "bit 63 kept": (lambda: answer(keep=ADDRESS | 1 << 63), "at most 52 bits"),
    "index from the wrong shift": (
        lambda: answer(index_of=lambda va, shift: va >> shift - 3 & 511),
        "Where do its nine bits begin",
    ),
    "index without mask": (lambda: answer(index_of=lambda va, shift: va >> shift), "Keep nine bits"),
    "one level too far": (too_far, "row 4 does not exist"),
    "one level too short": (too_short, "points to another table"),
    "12 bits of offset in a huge page": (lambda: answer(huge_end=0xFFF), "right page, the wrong byte"),
    "no offset": (lambda: answer(small_end=0), "where the page begins"),
    "flags kept in the frame": (lambda: answer(keep=(1 << 52) - 1), "mixes the entry's low bits"),
    "a digit misread": (misread, "Ask read() again"),
}

"""Answers to 08.2: endangered() by tables and by slots, and with the levels mixed up."""

BITS = {"pte": 21, "pmd": 30, "pud": 39}


def goes(vmas, start, end, low, high):
    """Whether a table of that span dies: the VMA meets it, no other does."""
    meets = start < high and low < end
    return meets and not any(s < high and low < e for s, e in vmas if (s, e) != (start, end))


def by_levels(hole, novma):
    """An endangered() that looks at these levels."""

    def endangered(vmas, tables, walk):
        levels = hole if walk == "hole" else novma
        return [
            start
            for start, end in vmas
            if any(level in levels and goes(vmas, start, end, low, high) for level, low, high in tables)
        ]

    return endangered


def by_slots(vmas, tables, walk):
    """Right: counts who else lives in each slot of the VMA."""
    found = []
    linked = {(level, low) for level, low, _ in tables}
    for start, end in vmas:
        for level in ["pud"] if walk == "hole" else ["pte", "pmd", "pud"]:
            size = 1 << BITS[level]
            slots = set(range(start & -size, end, size))
            for s, e in vmas:
                if (s, e) != (start, end):
                    slots -= {slot for slot in slots if s < slot + size and slot < e}
            if any((level, slot) in linked for slot in slots) and start not in found:
                found.append(start)
    return found


def own_slot(vmas, tables, walk):
    """Asks who else starts in the slot where the VMA starts."""
    shift = 39 if walk == "hole" else 21
    return [s for s, _ in vmas if sum(other >> shift == s >> shift for other, _ in vmas) == 1]


ALL = ("pte", "pmd", "pud")


def with_ends(vmas, tables, walk):
    """Takes the end of a range for a part of it."""
    level = ("pud",) if walk == "hole" else ALL
    return [
        start
        for start, end in vmas
        if any(
            start <= high and low <= end and sum(s <= high and low <= e for s, e in vmas) == 1
            for name, low, high in tables
            if name in level
        )
    ]


RIGHT = {"by tables": lambda: by_levels(("pud",), ALL), "by slots": lambda: by_slots}
WRONG = {
    "as shipped": (lambda: lambda vmas, tables, walk: None, "Give a list"),
    "every VMA": (lambda: lambda vmas, tables, walk: [s for s, _ in vmas], "others live in the same 2 MiB"),
    "pmd tables for the hole": (lambda: by_levels(("pmd",), ALL), "that entry lies one table higher"),
    "pte tables for both": (lambda: by_levels(("pte",), ALL), "never comes that far down"),
    "pud for both": (lambda: by_levels(("pud",), ("pud",)), "you don't name the VMA"),
    "nothing": (lambda: lambda vmas, tables, walk: [], "you don't name the VMA at 0x15"),
    "pairs": (lambda: lambda vmas, tables, walk: vmas, "A start"),
    "own slot": (lambda: own_slot, "Its munmap frees no table"),
    "ends": (lambda: lambda vmas, tables, walk: [e for _, e in vmas if walk], "No VMA of capture"),
    "ends belong to it": (lambda: with_ends, "two VMAs that touch"),
}

"""Answers to 02.1: tables_freed() in right ways and in the wrong ways that people write."""

SIZES = {"pte": 1 << 21, "pmd": 1 << 30, "pud": 1 << 39}


def meets(ranges, low, high):
    """Whether one of the ranges has an address in [low, high)."""
    return any(start < high and low < end for start, end in ranges)


def left(vmas, start, end):
    """What is still mapped."""
    for low, high in vmas:
        if low < min(high, start):
            yield low, min(high, start)
        if max(low, end) < high:
            yield max(low, end), high


def by_survivors(vmas, tables, start, end):
    """Right: ask who stays."""
    stay = list(left(vmas, start, end))
    count = dict.fromkeys(SIZES, 0)
    for level, low, high in tables:
        if level in count and low < end and start < high and not meets(stay, low, high):
            count[level] += 1
    return count


def by_floor_and_ceiling(vmas, tables, start, end):
    """Right: as free_pgd_range does, from the neighbours' ends."""
    stay = list(left(vmas, start, end))
    floor = max((high for low, high in stay if high <= start), default=0)
    ceiling = min((low for low, high in stay if low >= end), default=1 << 64)
    return {
        name: sum(
            level == name and floor <= low and high <= ceiling and low < end and start < high
            for level, low, high in tables
        )
        for name in SIZES
    }


def every(vmas, tables, start, end):
    """All tables that the range touches."""
    return {name: sum(t[0] == name and t[1] < end and start < t[2] for t in tables) for name in SIZES}


def whole(vmas, tables, start, end):
    """Only tables that lie wholly inside the range."""
    return {name: sum(t[0] == name and start <= t[1] and t[2] <= end for t in tables) for name in SIZES}


def no_floor(vmas, tables, start, end):
    """The next VMA only."""
    stay = [one for one in left(vmas, start, end) if one[0] >= end]
    return {
        name: sum(
            t[0] == name and t[1] < end and start < t[2] and not meets(stay, t[1], t[2]) for t in tables
        )
        for name in SIZES
    }


def no_ceiling(vmas, tables, start, end):
    """The previous VMA only."""
    stay = [one for one in left(vmas, start, end) if one[0] < start]
    return {
        name: sum(
            t[0] == name and t[1] < end and start < t[2] and not meets(stay, t[1], t[2]) for t in tables
        )
        for name in SIZES
    }


def other_vmas(vmas, tables, start, end):
    """Forgets that a VMA may be cut."""
    stay = [(low, high) for low, high in vmas if high <= start or end <= low]
    return {
        name: sum(
            t[0] == name and t[1] < end and start < t[2] and not meets(stay, t[1], t[2]) for t in tables
        )
        for name in SIZES
    }


def ends_count(vmas, tables, start, end):
    """A neighbour that begins where the table ends is taken for a user."""
    stay = list(left(vmas, start, end))
    return {
        name: sum(
            t[0] == name
            and t[1] < end
            and start < t[2]
            and not any(low <= t[2] and t[1] <= high for low, high in stay)
            for t in tables
        )
        for name in SIZES
    }


def pte_only(vmas, tables, start, end):
    """Upper levels forgotten."""
    return {**by_survivors(vmas, tables, start, end), "pmd": 0, "pud": 0}


def root_too(vmas, tables, start, end):
    """The root as well."""
    return {**by_survivors(vmas, tables, start, end), "pgd": 1}


def by_slots(vmas, tables, start, end):
    """Right: per level, the slots that somebody who stays still lives in."""
    alive = {
        name: {
            slot
            for low, high in left(vmas, start, end)
            for slot in (range(low // size, (high - 1) // size + 1))
        }
        for name, size in SIZES.items()
        if name != "pte"
    }

    def dies(name, low, high):
        if name == "pte":
            return not meets(left(vmas, start, end), low, high)
        return low // SIZES[name] not in alive[name]

    return {
        name: sum(t[0] == name and t[1] < end and start < t[2] and dies(*t) for t in tables) for name in SIZES
    }


RIGHT = {
    "survivors": lambda: by_survivors,
    "floor and ceiling": lambda: by_floor_and_ceiling,
    "slots": lambda: by_slots,
}
WRONG = {
    "as shipped": (lambda: lambda vmas, tables, start, end: None, "Give a dict"),
    "every table in the range": (lambda: every, "Linux 6.1 freed none"),
    "only tables wholly inside": (lambda: whole, "though the range does not fill it"),
    "no floor": (lambda: no_floor, "ranges, below"),
    "no ceiling": (lambda: no_ceiling, "ranges, above"),
    "a VMA is never cut": (lambda: other_vmas, "a VMA that is cut in two"),
    "a neighbour that only touches": (lambda: ends_count, "begin just where a table does"),
    "upper levels forgotten": (lambda: pte_only, "pte tables only"),
    "the root": (lambda: root_too, "it goes at exit"),
    "a sum": (lambda: lambda vmas, tables, start, end: 3, "tables_freed() gave 3"),
    "two levels": (lambda: lambda vmas, tables, start, end: {"pte": 0}, "says nothing of pmd, pud"),
}

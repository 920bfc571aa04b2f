"""Answers to 03.1: may_enter() by cases, by counts, and in the ways that people believe."""


def by_cases(held, wanted):
    """Right."""
    if wanted == "R":
        return "W" not in held
    if wanted == "W":
        return not held
    return "W" in held


def by_counts(held, wanted):
    """Right: one writer, or some readers."""
    writers = sum(one == "W" for one in held)
    readers = len(held) - writers
    return {"R": writers == 0, "W": writers + readers == 0, "downgrade": writers == 1}[wanted]


RIGHT = {"by cases": lambda: by_cases, "by counts": lambda: by_counts}
WRONG = {
    "as shipped": (lambda: lambda held, wanted: True, "Nobody holds the lock: only a writer"),
    "downgraded is like W": (
        lambda: (
            lambda held, wanted: (
                (wanted != "R" and by_cases(held, wanted))
                or (wanted == "R" and not {"W", "downgraded"} & {*held})
            )
        ),
        "that is what munmap does it for",
    ),
    "downgraded is free": (
        lambda: lambda held, wanted: by_cases([one for one in held if one != "downgraded"], wanted),
        "while munmap, downgraded, still frees tables",
    ),
    "two writers": (
        lambda: lambda held, wanted: "R" not in held if wanted == "W" else by_cases(held, wanted),
        "beside somebody else",
    ),
    "a reader beside a writer": (
        lambda: lambda held, wanted: wanted == "R" or by_cases(held, wanted),
        "half done",
    ),
    "one reader at a time": (
        lambda: lambda held, wanted: not held if wanted != "downgrade" else by_cases(held, wanted),
        "readers in beside readers",
    ),
    "anybody may downgrade": (
        lambda: lambda held, wanted: bool(held) if wanted == "downgrade" else by_cases(held, wanted),
        "Nobody of the holders holds W",
    ),
    "never a downgrade": (
        lambda: lambda held, wanted: wanted != "downgrade" and by_cases(held, wanted),
        "A writer may always",
    ),
    "a word": (lambda: lambda held, wanted: "yes", "Give True or False"),
}

"""Answers to 00.1: schedule lines that break DAMON v34, and those that people try first."""

RIGHT = {
    "the shortest": lambda: "0x5:read 1x28:free 0x1:lock",
    "to the end of munmap": lambda: "0x5:read 1x30:up_read 0x1:lock",
    "the lock between zap and free": lambda: "0x5:read 1x18:rmap_tree 0x1:lock 1x10:free 0x1:read",
    "page zero": lambda: "0x4 1x30 0x3",
    "a whole replay line": lambda: "ptwalk replay munmap-vs-damon-v34 '0x5 1x28:free 0x1'",
}
WRONG = {
    "nothing": (lambda: None, "still empty"),
    "endless": (lambda: "x" * 9000, "can't be read"),
    "a list": (lambda: [0, 0, 0, 1, 1], "a list, not text"),
    "not a line": (lambda: "first CPU 0", "can't be read"),
    "walker first": (lambda: "0x14:unlock 1x30", "CPU 0 finished while the table was live"),
    "munmap first": (lambda: "1x30 0x3", "must have read the pmd before"),
    "switch after the pgd": (lambda: "0x1 1x30 0x2", "CPU 0 had taken 1 of its steps when CPU 1 began"),
    "switch after the pud": (lambda: "0x2 1x30 0x1", "CPU 0 had taken 2 of its steps when CPU 1 began"),
    "back after the unlink": (lambda: "0x5 1x23:clear 0x3", "not freed: the memory is still a table"),
    "lock before the zap": (lambda: "0x6 1x11 0x8", "CPU 1 waits for the lock you hold"),
    "never comes back": (lambda: "0x5 1x30", "CPU 0 took no step after it"),
    "one CPU only": (lambda: "0x14", "Only CPU 0 took a step"),
    "a CPU that there is not": (lambda: "0x5 2x9", "can't be played"),
}

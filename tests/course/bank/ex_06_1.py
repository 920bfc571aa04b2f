"""Answers to 06.1: schedules of the collapse against DAMON v34."""

RIGHT = {
    "lock after the cut": lambda: "0x5:read 1x18:xchg 0x6:write",
    "lock before the cut": lambda: "0x10:read 1x18:xchg 0x1:write",
    "with the scenario's name": lambda: (
        "ptwalk replay collapse-anon-vs-damon-v34 '0x8:read 1x18:xchg 0x3:write'"
    ),
}
WRONG = {
    "nothing": (lambda: None, "is still empty"),
    "claims none": (lambda: "none", "You say that there is none"),
    "munmap": (lambda: "munmap-vs-damon-v34 0x5 1x28 0x1", "That line is of munmap"),
    "CPU 0 first": (lambda: "0x14:unlock 1x40:up_write", "still linked: an ordinary update"),
    "CPU 1 first": (lambda: "1x40:up_write 0x13:unlock", "into the new huge entry"),
    "pmd read after the cut": (lambda: "1x18:xchg 0x3:read", "It saw none, and left"),
    "lock after the ptes were cleared": (lambda: "0x5:read 1x40:up_write 0x3:unlock", "it was not present"),
    "stops at the lock": (lambda: "0x6:lock 1x18:xchg", "stops before its store"),
    "no CPU 0": (lambda: "1x18:xchg", "takes no step at all"),
    "no cut": (lambda: "0x5:read 1x9:down_write", "nothing was cut off"),
    "not a schedule": (lambda: "CPU 0 then CPU 1", "can't be read"),
}

"""Answers to 07.2: the table of sixteen cells, as a dict and as a function."""

FREES = ("at once", "IPI", "RCU", "no memory")
HOLDS = ("nothing", "rcu", "spinlock", "irq off")
SAFE = {("IPI", "irq off"), ("RCU", "rcu"), ("RCU", "spinlock"), ("RCU", "irq off"), ("no memory", "irq off")}


def table(*wrong):
    """The right table with the cells in `wrong` turned round."""
    return {
        free: {hold: ((free, hold) in SAFE) != ((free, hold) in wrong) for hold in HOLDS} for free in FREES
    }


def waits(free, hold):
    """What the freer waits for, and whether the walker holds that off."""
    thing = {"at once": None, "IPI": "ipi", "RCU": "grace period", "no memory": "ipi"}[free]
    held_off = {
        "nothing": (),
        "rcu": ("grace period",),
        "spinlock": ("grace period",),
        "irq off": ("ipi", "grace period"),
    }
    return thing in held_off[hold]


def flip(free, hold, words):
    """One wrong cell and its words."""
    return lambda: table((free, hold)), words


RIGHT = {"dict": table, "function": lambda: waits}
WRONG = {
    "nothing": (lambda: None, "There is no table yet"),
    "a list": (lambda: [[True] * 4] * 4, "This is a list"),
    "a row missing": (lambda: {"at once": dict.fromkeys(HOLDS, False)}, "nothing there yet"),
    "a word": (lambda: dict.fromkeys(FREES, dict.fromkeys(HOLDS, "safe")), "neither True nor False"),
    "irq off against at once": flip("at once", "irq off", "hold up only those who send an interrupt"),
    "rcu against at once": flip("at once", "rcu", "An RCU section is nothing to it"),
    "rcu against IPI": flip("IPI", "rcu", "inside the RCU section"),
    "spinlock against IPI": flip("IPI", "spinlock", "a spinlock leaves interrupts on"),
    "irq off against IPI": flip("IPI", "irq off", "With interrupts off, no IPI is answered"),
    "spinlock against RCU": flip("RCU", "spinlock", "Who holds a spinlock is not preempted"),
    "irq off against RCU": flip("RCU", "irq off", '"RCU" against "irq off": you say unsafe'),
    "nothing against RCU": flip("RCU", "nothing", "in no section of RCU"),
    "rcu against no memory": flip("no memory", "rcu", "an IPI only, and your CPU answered inside"),
}

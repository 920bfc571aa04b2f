"""Answers to 07.3: findings against the monitor with interrupts off."""

IPI = "munmap-vs-irqs-off-monitor 0x6:read 1x28:free 0x1:lock"
RCU = "collapse-anon-vs-irqs-off-monitor 0x11:read 1x18:xchg 0x1:write"


def both(ipi=IPI, rcu=RCU):
    """Both findings."""
    return {"ipi": ipi, "rcu": rcu}


RIGHT = {
    "shortest": both,
    "pasted": lambda: both(
        ipi="ptwalk replay munmap-vs-irqs-off-monitor '0x4 1x4 0x2:read 1x24:free 0x1:lock'",
        rcu="collapse-anon-vs-irqs-off-monitor 0x6:read 1x18:xchg 0x6:write",
    ),
}
WRONG = {
    "nothing": (lambda: None, "Hand in a dict"),
    "one of two": (lambda: both(rcu=None), "rcu: nothing there yet"),
    "twice none": (lambda: both("none", "none"), "To which CPUs does the flush send"),
    "ipi none": (lambda: both("none"), "went to the CPUs that run that process"),
    "rcu none": (lambda: both(rcu="none"), "is the table still the table"),
    "rcu by munmap": (
        lambda: both(rcu="munmap-vs-irqs-off-monitor-rcu 0x6:read 1x27:call_rcu 2x3 0x1"),
        "this table can't be freed while the monitor is in it",
    ),
    "another walker": (lambda: both("munmap-vs-damon-v34 0x5 1x28 0x1"), "is no race of the proposal"),
    "no race": (lambda: both("munmap-vs-irqs-off-monitor 0x16:irq_enable 1x28:free"), "no rule was broken"),
    "not a line": (lambda: both("munmap-vs-irqs-off-monitor first the monitor"), "can't be read"),
}

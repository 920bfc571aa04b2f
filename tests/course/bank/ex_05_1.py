"""Answers to 05.1: schedules with anchors, so that an edit of the model moves none of them."""

FREE = "0x5:read 1x28:free 0x1:lock"
RCU = "0x5:read 1x27:call_rcu 2x3:free 0x1:lock"
NOT_PREEMPTIBLE = "0x6:read 1x29:free 0x1:lock"


def four(**changed):
    """A right answer with some of its four changed."""
    return {"A": RCU, "B": FREE, "C": "none", "D": NOT_PREEMPTIBLE, **changed}


def longer():
    """Lines with more switches than need be; the word "safe" for "none"."""
    return four(
        A="0x2 1x5 0x3:read 1x22:call_rcu 2x3:free 0x1:lock",
        B="0x3 1x3 0x2:read 1x25:free 0x1:lock",
        C="safe",
    )


RIGHT = {"shortest": four, "longer": longer}
WRONG = {
    "nothing": (lambda: None, "Hand in a dict"),
    "three of four": (lambda: four(D=None), "nothing there yet"),
    "all none": (lambda: dict.fromkeys("ABCD", "none"), "Four times none"),
    "A none": (lambda: four(A="none"), "For whom does the grace period wait?"),
    "B none": (lambda: four(B="none"), "waits for no grace period"),
    "D none": (lambda: four(D="none"), "CPU 0's interrupts are on"),
    "A while the lock is held": (
        lambda: four(A="0x6:lock 1x11 0x9 1x16:call_rcu 2x3 0x1"),
        "did not touch it",
    ),
    "A, lock held at the grace period": (
        lambda: four(A="1x16:unlock 0x6:lock 1x11:call_rcu 2x3 0x1"),
        "a held spinlock counts",
    ),
    "A without the callbacks": (lambda: four(A="0x5:read 1x27:call_rcu 0x1:lock"), "it never moves"),
    "a schedule for C": (lambda: four(C="0x6:read 1x28:call_rcu 2x3 0x1"), "does not preempt"),
    "another word for none": (lambda: four(C="impossible"), "neither a schedule line nor the word"),
    "False for none": (lambda: four(C=False), "False is neither"),
    "no schedule": (lambda: four(B="first CPU 0, then CPU 1"), "can't be read"),
}

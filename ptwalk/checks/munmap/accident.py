"""Exercise 05.1: DAMON v34 on four kernels that free tables by RCU: three schedules, and one claim of none."""

from __future__ import annotations

from collections.abc import Mapping

from ptwalk.checks import race
from ptwalk.checks.exercise import Exercise
from ptwalk.checks.notyet import NotYet
from ptwalk.checks.preflight import shown
from ptwalk.explore.replay import Replay
from ptwalk.machine.locks import LockOperation
from ptwalk.trace.report import Report
from ptwalk.trials import explore

SCENARIO = "munmap-vs-damon-v34"
KERNELS = {
    "A": {"preemptible": True, "batch_allocation_fails": False},
    "B": {"preemptible": True, "batch_allocation_fails": True},
    "C": {"preemptible": False, "batch_allocation_fails": False},
    "D": {"preemptible": False, "batch_allocation_fails": True},
}
WITNESS = {
    "A": "The walker can be preempted before it has the lock, and then it is in no RCU section. For whom does the "
    "grace period wait?",
    "B": "No memory for the batch: munmap then sends an IPI to every CPU, and waits for no grace period. "
    "Does CPU 0 answer that IPI?",
    "D": "The kernel is not preemptible, but with no memory for the batch munmap waits for an IPI alone. "
    "CPU 0's interrupts are on.",
}


def subject(kernel: str) -> str:
    """The name that `ptwalk.stepper` takes for one of the four kernels."""
    axes = {"table_free": "rcu", **KERNELS[kernel]}
    return f"{SCENARIO}@5.15.0,{','.join(f'{name}={value}' for name, value in axes.items())}"


def check(answer: object, seed: int) -> str:
    """Each schedule is replayed on its kernel; each claim of "none" is searched."""
    if not isinstance(answer, Mapping):
        raise NotYet(
            'Hand in a dict with the keys "A", "B", "C", "D". Each value is a schedule line, or "none".'
        )
    missing = [name for name in KERNELS if answer.get(name) is None]
    if missing:
        raise NotYet(f'{", ".join(missing)}: nothing there yet. Give a schedule line, or "none".')
    claims = {name: str(answer[name]).strip().lower() in ("none", "safe") for name in KERNELS}
    for name, value in ((name, answer[name]) for name in KERNELS if not claims[name]):
        if isinstance(value, bool) or (isinstance(value, str) and not any(map(str.isdigit, value))):
            raise NotYet(f'{name}: {shown(value)} is neither a schedule line nor the word "none".')
    if all(claims.values()):
        raise NotYet(
            "Four times none. RCU-freed tables wait for a grace period; but a grace period waits only for CPUs "
            "that are inside an RCU section, and v34 opens none."
        )
    searched = 0
    for name in KERNELS:
        if claims[name]:
            verdict = explore(subject(name))
            if verdict.outcome == "bug":
                raise NotYet(f"{name}: you claim that there is none. The search found one. {WITNESS[name]}")
            searched += verdict.executions
        else:
            _fails(name, answer[name], race.played(subject(name), answer[name], f"{name}: the schedule"))
    return f"Three schedules replayed; for the fourth kernel, all {searched} executions searched: none fails."


def _fails(name: str, line: object, done: Replay) -> None:
    report = done.report
    if isinstance(report, Report) and report.sanitizer == "lifetime":
        return
    if isinstance(report, Report):
        raise NotYet(f"{name}: that breaks a rule, but no freed table was touched. {report.title}.")
    short = race.cut_short(race.schedule_line(line), done)
    freed = [step.number for step in done.steps if step.kind == "free"]
    if name == "C":
        raise NotYet(
            "C: in your line no freed table is touched. Here the kernel does not preempt, so all of "
            "CPU 0's walk keeps "
            f"the grace period waiting. {short}".rstrip()
        )
    if not freed and _holds_ptl(done) and any(step.cpu == 2 for step in done.steps):
        raise NotYet(
            f"{name}: in your line no table is freed. CPU 0 held the page-table lock, and a held "
            f"spinlock counts as an RCU "
            f"reader: the grace period waited. {short}".rstrip()
        )
    last = f"The last step was: CPU {done.steps[-1].cpu} {done.steps[-1].text}." if done.steps else ""
    if (
        not freed
        and "call_rcu" in (step.kind for step in done.steps)
        and not any(s.cpu == 2 for s in done.steps)
    ):
        raise NotYet(
            f"{name}: in your line no table is freed. CPU 1 has asked RCU to do it later; that is CPU 2, and it never "
            "moves in your line."
        )
    if not freed:
        raise NotYet(f"{name}: in your line no table is freed. {short} {last}".replace("  ", " "))
    raise NotYet(
        f"{name}: the table was freed in step {freed[0]}, and CPU 0 did not touch it afterwards. {last}"
    )


def _holds_ptl(done: Replay) -> bool:
    held = False
    for step in done.steps:
        if (
            step.cpu == 0
            and isinstance(step.operation, LockOperation)
            and step.operation.lock.lock_class == "ptl"
        ):
            held = step.kind == "lock"
    return held


EXERCISE = Exercise(
    name="05.1",
    title="When the accident does not happen",
    notebook="05_race_munmap",
    kind="find the schedule",
    difficulty=2,
    minutes=15,
    hints=(
        "What must happen before the table is freed, on each of the four? Does CPU 0 hold that up?",
        "Preemptible and without rcu_read_lock, the walker is no reader. An IPI is answered by every CPU that has "
        "interrupts on.",
        "Let CPU 0 read the pmd for the last time, then run munmap to the free (where RCU frees, CPU "
        "2 does it), then "
        "let CPU 0 take the lock. On one kernel the free is blocked until CPU 0 is through.",
    ),
    why=(
        "The grace period waits for readers only, and v34 is one by accident: where kernel code cannot be preempted. "
        "The fallback without memory does not even wait for that. Nobody wrote down that v34 relies on it. "
        "(We reasoned this from the sources; the model agrees.)"
    ),
    check=check,
    seconds=20.0,
)

"""Answers to 02.2: the six helpers in orders that hold and in orders that people write."""

import asyncio


def order(*names):
    """A tail that calls these helpers one after the other."""

    async def tail(k):
        for name in names:
            await getattr(k, name)()

    return tail


async def kernel_like(k):
    """Right: as unmap_region and tlb_finish_mmu do it."""
    await k.zap()
    await k.clear_pmd()
    await k.flush()
    await k.quiesce()
    await k.free_page()
    await k.free_table()


async def forgets_await(k):
    """Not one step."""
    k.zap()


async def empty(k):
    """As shipped."""


async def repeats(k):
    """Frees twice."""
    await kernel_like(k)
    await k.free_page()


RIGHT = {
    "one flush": lambda: kernel_like,
    "two flushes, slower": lambda: order(
        "zap", "flush", "free_page", "clear_pmd", "flush", "quiesce", "free_table"
    ),
    "page before the waiting": lambda: order(
        "zap", "clear_pmd", "flush", "free_page", "quiesce", "free_table"
    ),
    "waiting before the flush": lambda: order(
        "zap", "clear_pmd", "quiesce", "flush", "free_table", "free_page"
    ),
}


async def leaves(k):
    """Ends the program."""
    raise SystemExit(3)


async def for_ever(k):
    """Calls itself without an end."""
    await for_ever(k)


async def sleeps(k):
    """Awaits what is no step."""
    await asyncio.sleep(0)


WRONG = {
    "ends the program": (lambda: leaves, "raised SystemExit"),
    "calls itself": (lambda: for_ever, "called itself"),
    "sleeps": (lambda: sleeps, "no helper of k"),
    "a run, not the function": (lambda: kernel_like(None), "started already"),
    "nothing": (lambda: None, "Nothing was handed in"),
    "called at once": (lambda: 3, "async def tail(k)"),
    "as shipped": (lambda: empty, "calls none of the helpers"),
    "alphabetical": (
        lambda: order("clear_pmd", "flush", "free_page", "free_table", "quiesce", "zap"),
        "while the pte still named it",
    ),
    "cut before the zap": (
        lambda: order("clear_pmd", "zap", "flush", "quiesce", "free_page", "free_table"),
        "zap found no table",
    ),
    "page freed before the flush": (
        lambda: order("zap", "free_page", "clear_pmd", "flush", "quiesce", "free_table"),
        "a page that is no longer yours",
    ),
    "table freed before the flush": (
        lambda: order("zap", "clear_pmd", "free_table", "flush", "quiesce", "free_page"),
        "walk cache still leads to the table",
    ),
    "flush only before the cut": (
        lambda: order("zap", "flush", "clear_pmd", "quiesce", "free_page", "free_table"),
        "a new hardware walk entered the table",
    ),
    "no waiting": (lambda: order("zap", "clear_pmd", "flush", "free_page", "free_table"), "nobody waits"),
    "waiting too early": (
        lambda: order("quiesce", "zap", "clear_pmd", "flush", "free_page", "free_table"),
        "Readers that came after you had waited",
    ),
    "waiting too late": (
        lambda: order("zap", "clear_pmd", "flush", "free_page", "free_table", "quiesce"),
        "Nobody waited for the reader that was inside",
    ),
    "page freed first": (
        lambda: order("free_page", "zap", "clear_pmd", "flush", "quiesce", "free_table"),
        "while the pte still named it",
    ),
    "table freed before the cut": (
        lambda: order("zap", "free_table", "clear_pmd", "flush", "quiesce", "free_page"),
        "while the pmd still named it",
    ),
    "table forgotten": (lambda: order("zap", "clear_pmd", "flush", "quiesce", "free_page"), "leak of 4 KiB"),
    "no flush": (lambda: order("zap", "clear_pmd", "quiesce", "free_page", "free_table"), "Nobody flushes"),
    "no await": (lambda: forgets_await, "stands without await"),
    "freed twice": (lambda: repeats, "called twice"),
    "a helper of its own": (lambda: order("zap", "unlink"), "There is no helper k.unlink"),
}

"""Answers to 03.3: the emptier mended in two ways, and in ways that hang or cut too much."""


async def give_up(k):
    """Right: the inner lock first, the outer one by trylock only."""
    if await k.lock_table():
        if await k.all_none() and (k.same_lock or await k.trylock_pmd()):
            await k.cut()
            if not k.same_lock:
                await k.unlock_pmd()
        await k.unlock_table()


async def outer_first(k):
    """Right: in the order of the locks, and everything looked at under both."""
    if k.same_lock:
        if await k.lock_table():
            if await k.all_none():
                await k.cut()
            await k.unlock_table()
        return
    await k.lock_pmd()
    if await k.lock_table():
        if await k.all_none():
            await k.cut()
        await k.unlock_table()
    await k.unlock_pmd()


async def as_shipped(k):
    """The wrong order."""
    if await k.lock_table():
        if await k.all_none():
            await k.lock_pmd()
            await k.cut()
            await k.unlock_pmd()
        await k.unlock_table()


async def result_ignored(k):
    """Trylock, and on we go."""
    if await k.lock_table():
        if await k.all_none():
            got = await k.trylock_pmd()
            await k.cut()
            if got:
                await k.unlock_pmd()
        await k.unlock_table()


async def dropped(k):
    """Drops the inner lock to take the outer one, and believes what it saw."""
    if await k.lock_table():
        empty = await k.all_none()
        await k.unlock_table()
        if empty:
            await k.lock_pmd()
            await k.cut()
            await k.unlock_pmd()


async def still_linked(k):
    """Looks at the pmd again, not at the entries."""
    if await k.lock_table():
        empty = await k.all_none()
        await k.unlock_table()
        if empty:
            await k.lock_pmd()
            if await k.linked():
                await k.cut()
            await k.unlock_pmd()


async def one_lock_forgotten(k):
    """Right with split locks only."""
    await k.lock_pmd()
    if await k.lock_table():
        if await k.all_none():
            await k.cut()
        await k.unlock_table()
    await k.unlock_pmd()


async def spins(k):
    """Tries again and again with the inner lock held."""
    if await k.lock_table():
        if await k.all_none():
            while not (k.same_lock or await k.trylock_pmd()):
                pass
            await k.cut()
            if not k.same_lock:
                await k.unlock_pmd()
        await k.unlock_table()


async def never_cuts(k):
    """Safe, and of no use."""
    if await k.lock_table():
        await k.unlock_table()


async def always_gives_up(k):
    """Right with split locks; with one lock its own trylock fails."""
    if await k.lock_table():
        if await k.all_none() and await k.trylock_pmd():
            await k.cut()
            await k.unlock_pmd()
        await k.unlock_table()


async def keeps_it(k):
    """A return that forgets the lock."""
    if await k.lock_table() and await k.all_none() and (k.same_lock or await k.trylock_pmd()):
        await k.cut()
        if not k.same_lock:
            await k.unlock_pmd()
        await k.unlock_table()


async def try_then_wait(k, look_again=True):
    """Right: tries first; if the outer lock is not free, lets go of the inner one and begins again in order."""
    if not await k.lock_table():
        return
    empty = await k.all_none()
    if not empty or k.same_lock or await k.trylock_pmd():
        if empty:
            await k.cut()
            if not k.same_lock:
                await k.unlock_pmd()
        await k.unlock_table()
        return
    await k.unlock_table()
    await k.lock_pmd()
    if await k.lock_table():
        if not look_again or await k.all_none():
            await k.cut()
        await k.unlock_table()
    await k.unlock_pmd()


async def waits_and_believes(k):
    """The same, and what it saw before is not looked at again."""
    await try_then_wait(k, look_again=False)


async def begins_again(k):
    """Lets go and tries again, for as long as it takes."""
    while True:
        if not await k.lock_table():
            return
        if not await k.all_none():
            await k.unlock_table()
            return
        if k.same_lock or await k.trylock_pmd():
            break
        await k.unlock_table()
    await k.cut()
    if not k.same_lock:
        await k.unlock_pmd()
    await k.unlock_table()


async def one_await_forgotten(k):
    """all_none() is never run, and a coroutine is true."""
    if await k.lock_table():
        if k.all_none() and (k.same_lock or await k.trylock_pmd()):
            await k.cut()
        await k.unlock_table()


async def a_helper_of_its_own(k):
    """Believes that there is more."""
    await k.lock_everything()


RIGHT = {
    "try, and give up": lambda: give_up,
    "outer lock first": lambda: outer_first,
    "try, then wait": lambda: try_then_wait,
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "called": (lambda: 1, "async def empty_table(k)"),
    "as shipped": (lambda: as_shipped, "wait for each other"),
    "trylock, result ignored": (lambda: result_ignored, "cut() without the lock of the pmd"),
    "dropped in between": (lambda: dropped, "an entry was filled in between"),
    "looks at the pmd only": (lambda: still_linked, "A table with a page in it was cut"),
    "one lock forgotten": (lambda: one_lock_forgotten, "It waits for itself"),
    "spins": (lambda: spins, "goes round and round"),
    "believes what it saw": (lambda: waits_and_believes, "a page fault next door and then one here"),
    "begins again and again": (lambda: begins_again, "no number of rounds is sure"),
    "one await forgotten": (lambda: one_await_forgotten, "forgets 'await'"),
    "a helper of its own": (lambda: a_helper_of_its_own, "there is no helper k.lock_everything"),
    "never cuts": (lambda: never_cuts, "Alone, with an empty table"),
    "gives up for ever": (
        lambda: always_gives_up,
        "Alone where one lock serves all tables, with an empty table",
    ),
    "keeps the lock": (lambda: keeps_it, "still holds"),
}

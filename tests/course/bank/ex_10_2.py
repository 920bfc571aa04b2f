"""Answers to 10.2: map_lock() as a loop and as a recursion, and with one line wrong."""

from ptwalk.kernel import (
    is_table,
    offset_lockless,
    pte_lockptr,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
)


async def loop(mm, pmd, addr):
    """Right."""
    while True:
        await rcu_read_lock(mm.machine)
        seen = await pmd.read()
        if not is_table(seen):
            await rcu_read_unlock(mm.machine)
            return None
        ptl = pte_lockptr(mm, pmd, seen)
        await spin_lock(ptl)
        if (await pmd.read()).raw == seen.raw:
            return offset_lockless(pmd, seen, addr), ptl
        await spin_unlock(ptl)
        await rcu_read_unlock(mm.machine)


async def recursion(mm, pmd, addr):
    """Right."""
    await rcu_read_lock(mm.machine)
    seen = await pmd.read()
    if is_table(seen):
        ptl = pte_lockptr(mm, pmd, seen)
        await spin_lock(ptl)
        if await pmd.read() == seen:
            return offset_lockless(pmd, seen, addr), ptl
        await spin_unlock(ptl)
    await rcu_read_unlock(mm.machine)
    return await recursion(mm, pmd, addr) if is_table(seen) else None


async def of_5_15(mm, pmd, addr):
    """Two loads and a lock."""
    seen = await pmd.read()
    if not is_table(seen):
        return None
    ptl = pte_lockptr(mm, pmd, seen)
    await spin_lock(ptl)
    await rcu_read_lock(mm.machine)
    return offset_lockless(pmd, seen, addr), ptl


async def rcu_at_load(mm, pmd, addr):
    """RCU around the load only."""
    await rcu_read_lock(mm.machine)
    seen = await pmd.read()
    await rcu_read_unlock(mm.machine)
    if not is_table(seen):
        return None
    ptl = pte_lockptr(mm, pmd, seen)
    await spin_lock(ptl)
    await rcu_read_lock(mm.machine)
    if (await pmd.read()).raw == seen.raw:
        return offset_lockless(pmd, seen, addr), ptl
    await spin_unlock(ptl)
    await rcu_read_unlock(mm.machine)
    return await rcu_at_load(mm, pmd, addr)


def locked(same, before=False, retry=True, unlock=True, leave=True, once=False):
    """The loop with one thing changed."""

    async def map_lock(mm, pmd, addr):
        while True:
            await rcu_read_lock(mm.machine)
            seen = await pmd.read()
            if not is_table(seen):
                if leave:
                    await rcu_read_unlock(mm.machine)
                return None
            ptl = pte_lockptr(mm, pmd, seen)
            if before and (await pmd.read()).raw != seen.raw:
                await rcu_read_unlock(mm.machine)
                continue
            await spin_lock(ptl)
            if before or same is None or same(await pmd.read(), seen):
                return offset_lockless(pmd, seen, addr), ptl
            if unlock:
                await spin_unlock(ptl)
            await rcu_read_unlock(mm.machine)
            if not retry:
                return None

    return map_lock


def exact(now, seen):
    """The same word."""
    return now.raw == seen.raw


async def leaves_rcu(mm, pmd, addr):
    """Leaves RCU with the lock in hand."""
    found = await loop(mm, pmd, addr)
    if found is not None:
        await rcu_read_unlock(mm.machine)
    return found


async def fresh_pointer(mm, pmd, addr):
    """Locks one table, looks into another: a third load gives the pte."""
    await rcu_read_lock(mm.machine)
    seen = await pmd.read()
    if not is_table(seen):
        await rcu_read_unlock(mm.machine)
        return None
    ptl = pte_lockptr(mm, pmd, seen)
    await spin_lock(ptl)
    now = await pmd.read()
    if is_table(now):
        return offset_lockless(pmd, now, addr), ptl
    await spin_unlock(ptl)
    await rcu_read_unlock(mm.machine)
    return None


async def never(mm, pmd, addr):
    """There is never a table."""
    await pmd.read()


async def blind(mm, pmd, addr):
    """Nothing at all."""


async def first_entry(mm, pmd, addr):
    """The right table, and always its first entry."""
    found = await loop(mm, pmd, addr)
    return found and (found[0].frame.entry(0, "pte"), found[1])


async def one_section(mm, pmd, addr):
    """Right: stays in one RCU section, and goes on with what it read under the lock."""
    await rcu_read_lock(mm.machine)
    seen = await pmd.read()
    while is_table(seen):
        ptl = pte_lockptr(mm, pmd, seen)
        await spin_lock(ptl)
        now = await pmd.read()
        if now.raw == seen.raw:
            return offset_lockless(pmd, seen, addr), ptl
        await spin_unlock(ptl)
        seen = now
    await rcu_read_unlock(mm.machine)
    return None


RIGHT = {"loop": lambda: loop, "recursion": lambda: recursion, "one RCU section": lambda: one_section}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "as shipped": (lambda: blind, "never read the pmd"),
    "no RCU": (lambda: of_5_15, "nothing told RCU to wait for you"),
    "RCU around the load only": (lambda: rcu_at_load, "outside the RCU section"),
    "no second look": (lambda: locked(None), "You did not look at the pmd again under the lock"),
    "second look too early": (lambda: locked(None, before=True), "both times before you had the lock"),
    "any table will do": (lambda: locked(lambda now, seen: is_table(now)), "took any table for yours"),
    "lock kept": (lambda: locked(exact, unlock=False), "kept a lock"),
    "gives up": (lambda: locked(exact, retry=False), "There was one to give"),
    "RCU kept": (lambda: locked(exact, leave=False), "still inside its RCU section"),
    "RCU left": (lambda: leaves_rcu, "that is the agreement"),
    "a third load": (lambda: fresh_pointer, "not the lock of the table"),
    "never a table": (lambda: never, "map_lock gave None, and the last pmd"),
    "only the pte": (lambda: locked_pte, "It gives (pte, ptl), or None"),
    "always the first entry": (lambda: first_entry, "not the entry of the address"),
}


async def locked_pte(mm, pmd, addr):
    """The pointer without its lock."""
    found = await loop(mm, pmd, addr)
    return found and found[0]

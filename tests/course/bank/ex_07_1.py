"""Answers to 07.1: lockless walkers, each wrong one by one line that is missing or out of place."""

from ptwalk.kernel.mmap_lock import mmap_read_lock, mmap_read_unlock
from ptwalk.kernel.pgtable import is_table, leaf, mm_find_pmd, offset_lockless
from ptwalk.machine.folio import GetPageUnlessZero, PutPage
from ptwalk.machine.processor import local_irq_restore, local_irq_save, rcu_read_lock, rcu_read_unlock


def gup(
    looks=("pmd", "pte"),
    *,
    irq="off",
    pin_last=False,
    keep=False,
    early_on=False,
    twice=False,
    user=True,
    unpinned=False,
    locked=False,
):
    """A lockless walker; what people get wrong are its parameters."""

    async def gup_one(mm, addr):
        machine = mm.machine
        if irq == "off":
            flags = await local_irq_save(machine)
        elif irq == "rcu":
            await rcu_read_lock(machine)
        if locked:
            await mmap_read_lock(mm)
        page = None
        pmd = await mm_find_pmd(mm, addr)
        pmdval = await pmd.read() if pmd is not None else None
        if pmdval is not None and is_table(pmdval):
            if twice:
                pmdval = await pmd.read()
            pte = offset_lockless(pmd, pmdval, addr)
            pteval = await pte.read()
            slots = {"pmd": (pmd, pmdval), "pte": (pte, pteval)}
            if leaf(pteval) and (pteval.user or not user) and pteval.address is not None:
                if user or mm.machine.is_page(pteval.address):
                    page = machine.frame_at(pteval.address)
                if not pin_last and page is not None and not unpinned and not await GetPageUnlessZero(page):
                    page = None
                if early_on:
                    await local_irq_restore(machine, flags)
                for name in looks if page is not None else ():
                    slot, value = slots[name]
                    if (await slot.read()).raw != value.raw:
                        if not keep and not pin_last:
                            await PutPage(page)
                        page = None
                        break
                if pin_last and page is not None and not await GetPageUnlessZero(page):
                    page = None
        if locked:
            await mmap_read_unlock(mm)
        if irq == "off" and not early_on:
            await local_irq_restore(machine, flags)
        elif irq == "rcu":
            await rcu_read_unlock(machine)
        elif early_on and page is None:
            await local_irq_restore(machine, flags)
        return page

    return gup_one


async def always_none(mm, addr):
    """Never finds a page."""
    return None


async def gives_address(mm, addr):
    """Gives the address, not the page."""
    return addr


async def never_ends(mm, addr):
    """Walks down again and again."""
    while True:
        await mm_find_pmd(mm, addr)


def plain(mm, addr):
    """Not async."""
    return None


async def whole_way_again(mm, addr):
    """Right: walks down a second time after the pin, and compares all of it."""
    flags = await local_irq_save(mm.machine)
    page, first = None, await way(mm, addr)
    if first is not None:
        page = mm.machine.frame_at(first[1].address)
        if not await GetPageUnlessZero(page):
            page = None
        elif await way(mm, addr) != first:
            await PutPage(page)
            page = None
    await local_irq_restore(mm.machine, flags)
    return page


async def way(mm, addr):
    """The pmd and the pte of a readable page."""
    pmd = await mm_find_pmd(mm, addr)
    above = await pmd.read() if pmd is not None else None
    if above is None or not is_table(above):
        return None
    entry = await offset_lockless(pmd, above, addr).read()
    return (above, entry) if leaf(entry) and entry.user else None


async def still_there(mm, addr):
    """Looks again, and asks only if there is a page."""
    flags = await local_irq_save(mm.machine)
    page, first = None, await way(mm, addr)
    if first is not None:
        page = mm.machine.frame_at(first[1].address)
        if not await GetPageUnlessZero(page):
            page = None
        elif await way(mm, addr) is None:
            await PutPage(page)
            page = None
    await local_irq_restore(mm.machine, flags)
    return page


async def off_on_one_way(mm, addr):
    """Comes back too early where there is nothing."""
    flags = await local_irq_save(mm.machine)
    if await way(mm, addr) is None:
        return None
    await local_irq_restore(mm.machine, flags)
    return await whole_way_again(mm, addr)


async def pins_twice(mm, addr):
    """One pin more than its user drops."""
    page = await whole_way_again(mm, addr)
    if page is not None:
        await GetPageUnlessZero(page)
    return page


RIGHT = {
    "pmd, then pte": gup,
    "pte, then pmd": lambda: gup(("pte", "pmd")),
    "all the way again": lambda: whole_way_again,
}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "not async": (lambda: plain, "not async"),
    "always None": (lambda: always_none, "gave None"),
    "never ends": (lambda: never_ends, "goes round in circles"),
    "an address": (lambda: gives_address, "not the page that is mapped"),
    "not pinned": (lambda: gup(unpinned=True), "had not pinned"),
    "takes mmap_lock": (lambda: gup(locked=True, irq="on"), "without locks"),
    "permission not looked at": (lambda: gup(user=False), "the program may not read there"),
    "no second look": (lambda: gup(()), "did not look again"),
    "pte only": (lambda: gup(("pte",)), "a table that had been cut off"),
    "pmd only": (lambda: gup(("pmd",)), "belonged to somebody else when you pinned it"),
    "pin last": (lambda: gup(pin_last=True), "between your second look and your pin"),
    "keeps the pin": (lambda: gup(keep=True), "and kept the pin"),
    "interrupts on too early": (lambda: gup(early_on=True), "before your second look"),
    "interrupts never off": (lambda: gup(irq="on"), "in the middle of the walk"),
    "rcu instead": (lambda: gup(irq="rcu"), "inside its RCU section"),
    "pmd loaded twice": (lambda: gup(twice=True), "twice on the way down"),
    "a page is there": (lambda: still_there, "it was another one"),
    "interrupts stay off": (lambda: off_on_one_way, "interrupts still off"),
    "pins twice": (lambda: pins_twice, "pinned 2 times"),
}

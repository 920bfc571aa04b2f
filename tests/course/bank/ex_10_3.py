"""Answers to 10.3: resident() carried over in two ways, and in the ways that fail."""

from ptwalk.kernel import (
    is_table,
    leaf,
    offset_lockless,
    pte_offset_map,
    pte_offset_map_lock,
    pte_unmap,
    pte_unmap_unlock,
)


async def again(mm, pmd, addr):
    """Right: asks the pmd again."""
    while True:
        entry = await pmd.read()
        if not is_table(entry):
            return leaf(entry)
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None:
            break
    there = (await pte.read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return there


async def tail_call(mm, pmd, addr):
    """Right: begins anew."""
    entry = await pmd.read()
    if not is_table(entry):
        return leaf(entry)
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return await tail_call(mm, pmd, addr)
    there = (await pte.read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return there


def on_none(said):
    """A walker that answers None with this."""

    async def resident(mm, pmd, addr):
        entry = await pmd.read()
        if not is_table(entry):
            return leaf(entry)
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is None:
            return said
        there = (await pte.read()).linux_present
        await pte_unmap_unlock(mm, ptl)
        return there

    return resident


async def of_5_15(mm, pmd, addr):
    """As it was."""
    entry = await pmd.read()
    if not is_table(entry):
        return leaf(entry)
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    there = (await pte.read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return there


async def for_ever(mm, pmd, addr):
    """Wants a table, whatever the pmd says."""
    entry = await pmd.read()
    if not is_table(entry):
        return leaf(entry)
    while True:
        pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
        if pte is not None:
            break
    there = (await pte.read()).linux_present
    await pte_unmap_unlock(mm, ptl)
    return there


async def bare(mm, pmd, addr):
    """Without the lock, so nothing can come back as None."""
    entry = await pmd.read()
    if not is_table(entry):
        return leaf(entry)
    return (await offset_lockless(pmd, entry, addr).read()).linux_present


async def keeps_rcu(mm, pmd, addr):
    """pte_offset_map without its partner."""
    entry = await pmd.read()
    if not is_table(entry):
        return leaf(entry)
    pte = await pte_offset_map(mm, pmd, addr)
    return pte is not None and (await pte.read()).linux_present


async def peeks(mm, pmd, addr):
    """Right here: a look without the lock, under RCU, may be old, and is not wrong."""
    entry = await pmd.read()
    if not is_table(entry):
        return leaf(entry)
    pte = await pte_offset_map(mm, pmd, addr)
    if pte is None:
        return await peeks(mm, pmd, addr)
    there = (await pte.read()).linux_present
    await pte_unmap(mm)
    return there


async def keeps_ptl(mm, pmd, addr):
    """One way out without the unlock."""
    entry = await pmd.read()
    if not is_table(entry):
        return leaf(entry)
    pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
    if pte is None:
        return await keeps_ptl(mm, pmd, addr)
    if not (await pte.read()).linux_present:
        return False
    await pte_unmap_unlock(mm, ptl)
    return True


async def small_only(mm, pmd, addr):
    """Huge pages do not count."""
    entry = await pmd.read()
    return is_table(entry) and await again(mm, pmd, addr)


async def always(mm, pmd, addr):
    """There it is."""
    await pmd.read()
    return True


async def as_shipped(mm, pmd, addr):
    """Nothing yet."""


def answered_by(test, on_none=None):
    """Asks `test` of the pte; `on_none` answers where no table came back."""

    async def resident(mm, pmd, addr):
        while is_table(entry := await pmd.read()):
            pte, ptl = await pte_offset_map_lock(mm, pmd, addr)
            if pte is not None:
                there = test(await pte.read())
                await pte_unmap_unlock(mm, ptl)
                return there
            if on_none is not None:
                return on_none(await pmd.read())
        return leaf(entry)

    return resident


class Yes:
    """Equal to everything."""

    def __eq__(self, other):
        return True

    __hash__ = None


async def equal_to_everything(mm, pmd, addr):
    """Looks at nothing, and pleases everybody."""
    return Yes()


RIGHT = {"asks the pmd again": lambda: again, "begins anew": lambda: tail_call, "a peek": lambda: peeks}
WRONG = {
    "nothing": (lambda: None, "Nothing was handed in"),
    "empty": (lambda: as_shipped, "It gives True or False"),
    "as it was": (lambda: of_5_15, "No table came back, and you used it"),
    "None is no page": (lambda: on_none(False), "was a huge page, and you said that no page"),
    "None is a page": (lambda: on_none(True), "was empty, and you said that a page"),
    "None is None": (lambda: on_none(None), "resident gave None"),
    "for ever": (lambda: for_ever, "that there is none is an answer"),
    "no lock": (lambda: bare, "does not keep pte tables on this kernel"),
    "RCU kept": (lambda: keeps_rcu, "has a partner, pte_unmap"),
    "lock kept": (lambda: keeps_ptl, "still holds a page-table lock"),
    "small pages only": (lambda: small_only, "there is a huge page, and resident gave False"),
    "always": (lambda: always, "there is a table with no page in it"),
    "young is there": (lambda: answered_by(lambda pte: pte.accessed), "not accessed for a while"),
    "not empty is there": (lambda: answered_by(lambda pte: pte.raw != 0), "swapped out"),
    "the new table unseen": (
        lambda: answered_by(lambda pte: pte.linux_present, leaf),
        "without a look into that table",
    ),
    "equal to everything": (lambda: equal_to_everything, "It gives True or False"),
}

"""The race of the design, written by hand through the schema: DAMON v34 against a downgraded munmap.

17 steps, 2 context switches. It needs no simulated kernel, so the picture can be tested without one.
`python tests/browser/munmap_race.py` writes it to `data/munmap_race.json`.
"""

from __future__ import annotations

from pathlib import Path

from ptwalk.trace.recording import TimelineWriter
from ptwalk.trace.snapshot import Frame, Held, Local, Slot, TlbEntry
from ptwalk.trace.timeline import Header, Timeline

VA = 0x600000403000
DAMON = """async def damon_va_mkold(mm, addr):  # v34
    pte, ptl = await follow_invalidate_pte(
        mm, addr)           # no mmap_lock
    entry = await pte.read()
    await pte.write(entry.mkold())
    await spin_unlock(ptl)"""
FOLLOW = """async def follow_invalidate_pte(mm, addr):
    pgd = await pgd_offset(mm, addr).read()
    pud = await pud_offset(pgd, addr).read()
    pmd = await pmd_offset(pud, addr).read()
    if pmd.none(): raise Hole(addr)
    ptl = pte_lockptr(pmd)  # in the table
    await spin_lock(ptl)
    return pte_offset(pmd, addr), ptl"""
TASK = """async def task(mm):
    await munmap(mm, start, end)
    page = await alloc_page()"""
MUNMAP = """async def munmap(mm, start, end):
    await mmap_write_lock(mm)
    vma = await detach_vma(mm, start)
    await mmap_write_downgrade(mm)
    tlb = tlb_gather_mmu(mm)
    await unmap_vmas(tlb, vma)
    await free_pgtables(tlb, vma)
    await tlb_finish_mmu(tlb)
    await mmap_read_unlock(mm)"""
ZAP = """async def zap_pte_range(tlb, pmd):
    await spin_lock(ptl)
    old = await pte.xchg(0)
    await spin_unlock(ptl)
    tlb.pages.add(old)"""
FREE = """async def free_pte_range(tlb, pmd):
    token = pmd_pgtable(pmd)
    await pmd.clear()     # takes no ptl
    await pte_free_tlb(tlb, token)"""
FINISH = """async def tlb_finish_mmu(tlb):
    await flush_tlb_mm_range(tlb)  # IPI
    await free_pages(tlb.pages)
    await free_pages(tlb.tables)"""

LEVELS = (("pgd", 39, 192, 511), ("pud", 30, 0, 0), ("pmd", 21, 2, 0), ("pte", 12, 3, 0))
RULE = "keep the table linked (mmap_lock, inside a VMA) from reading pmd until the last use."


def race() -> Timeline:
    """The 17 steps."""
    header = Header(
        title="munmap against DAMON v34",
        note="Linux 5.15, x86-64, tables not freed by RCU",
        scenario="munmap-vs-damon-v34",
        address=VA,
        format="x86-64-4level",
        marks="P RW US A NX",
        cpus=({"name": "CPU 0", "task": "damon_va_mkold"}, {"name": "CPU 1", "task": "task"}),
        levels=tuple({"name": n, "shift": s, "bits": 9, "index": i} for n, s, i, _ in LEVELS),
        roots=({"name": "mm", "frame": 3},),
    )
    w = TimelineWriter(header)
    names = (
        "damon_va_mkold",
        "follow_invalidate_pte",
        "task",
        "munmap",
        "zap_pte_range",
        "free_pte_range",
        "tlb_finish_mmu",
    )
    damon, follow, task, munmap, zap, free, finish = (
        w.source(name, "race.py", 1 + 100 * i, text)
        for i, (name, text) in enumerate(
            zip(names, (DAMON, FOLLOW, TASK, MUNMAP, ZAP, FREE, FINISH), strict=True)
        )
    )

    def line(source: int, number: int) -> tuple[int, int]:
        return source, 100 * source + number

    w.lock("mmap_lock", "mmap_lock", "rwsem")
    w.lock("ptl7", "ptl", frame=7)
    w.lock("pmd_lock", "pmd lock", absent="pmd[2] is cleared without it")
    for frame, (level, _, _, rest) in zip((3, 4, 5, 7), LEVELS, strict=True):
        w.put(Frame(frame, level=level, rest=rest, lock="ptl7" if frame == 7 else ""))
    w.put(Frame(9, kind="page", note="mapped"))
    table = "P RW US A"
    w.put(
        Slot(3, 192, 4, table, 0x4067),
        Slot(4, 0, 5, table, 0x5067),
        Slot(5, 0, 6, table),
        Slot(5, 8, 8, table),
    )
    w.put(Slot(5, 2, 7, table, 0x7067), Slot(7, 3, 9, "P RW US A NX", 0x8000000000009867))
    w.put(Held("mmap_lock"), Held("ptl7"), Held("pmd_lock"))
    w.fact("VMA 4 KiB", "attached")

    tlb = [TlbEntry(VA, 9, "7.3").to_json()]
    here = (line(damon, 2),)

    def zero(at: int, next: str | None, label: str, *values: Local, state: str = "ready") -> None:
        w.cpu(0, stack=(*here, line(follow, at)), next=next, label=label, values=values, state=state)

    gathered: dict[str, Local] = {}

    def one(stack: list[tuple[int, int]], next: str | None, label: str, state: str = "ready") -> None:
        w.cpu(1, stack=stack, next=next, label=label, values=gathered.values(), state=state, tlb=tlb)

    in_task = line(task, 2)
    zero(2, "pgd_offset(mm, addr).read()", "pgd read")
    one([in_task, line(munmap, 2)], "mmap_write_lock(mm)", "mmap_write_lock")
    w.begin()

    pgd = Local("pgd", depth=1, source="3.192", to=4)
    pud = Local("pud", depth=1, source="4.0", to=5)
    pmd = Local("pmd", depth=1, source="5.2", to=7)
    ptl = Local("ptl", depth=1, at="7.lock", lock="ptl7")
    zero(3, "pud_offset(pgd, addr).read()", "pud read", pgd)
    w.step(0, "read", "pgd", [("read.table", {"entry": "3.192", "to": 4})], word="pgd[0]:read")
    zero(4, "pmd_offset(pud, addr).read()", "pmd read", pgd, pud)
    w.step(0, "read", "pud", [("read.table", {"entry": "4.0", "to": 5})], word="pud[0]:read")
    zero(7, "spin_lock(ptl)", "spin_lock(ptl)", pgd, pud, pmd, ptl)
    w.step(
        0,
        "read",
        "pmd",
        [("read.table", {"entry": "5.2", "to": 7}), ("unprotected", {"frame": 7})],
        word="pmd[0]:read",
    )

    w.put(Held("mmap_lock", ((1, "write"),)))
    one([in_task, line(munmap, 3)], "detach_vma(mm, start)", "detach_vma")
    w.step(1, "lock", "lock", [("lock.write", {"lock": "mmap_lock"})], word="mmap_lock:write_lock")
    w.fact("VMA 4 KiB", "detached")
    gathered["vma"] = Local("vma", "4 KiB at …403000", depth=1)
    one([in_task, line(munmap, 4)], "mmap_write_downgrade(mm)", "mmap_write_downgrade")
    w.step(1, "vma", "detach", [("vma.detach", {})], word="vma:detach")
    w.put(Held("mmap_lock", ((1, "read"),)))
    gathered["tlb"] = Local("tlb", "queue empty", depth=1)
    unmap = [in_task, line(munmap, 6)]
    one([*unmap, line(zap, 2)], "spin_lock(ptl)", "spin_lock(ptl)")
    w.step(1, "downgrade", "to read", [("downgrade", {"lock": "mmap_lock"})], word="mmap_lock:downgrade")
    w.put(Held("ptl7", ((1, "held"),)))
    one([*unmap, line(zap, 3)], "pte.xchg(0)", "pte.xchg(0)")
    w.step(1, "lock", "lock", [("lock", {"lock": "ptl7"})], word="ptl(pte-table[0]):lock")
    w.put(Slot(7, 3, word="none"), Frame(9, kind="page", note="waits for flush"))
    gathered["tlb"] = Local("tlb", "queue: 9", depth=1)
    one([*unmap, line(zap, 4)], "spin_unlock(ptl)", "spin_unlock(ptl)")
    w.step(
        1,
        "exchange",
        "pte=0",
        [("clear", {"entry": "7.3"}), ("page.waits", {"frame": 9})],
        word="pte[0]:clear(xchg)",
    )
    w.put(Held("ptl7"))
    one([in_task, line(munmap, 7), line(free, 3)], "pmd.clear()", "pmd.clear()")
    w.step(1, "unlock", "unlock", [("unlock", {"lock": "ptl7"})], word="ptl(pte-table[0]):unlock")
    w.put(Slot(5, 2, word="none"), Frame(7, level="pte", state="unlinked", note="flush pending", lock="ptl7"))
    free_table = [in_task, line(munmap, 7)]
    one([*free_table, line(free, 4)], "pte_free_tlb(tlb, token)", "pte_free_tlb")
    w.step(1, "clear", "pmd=0", [("clear.unlocked", {"entry": "5.2"})], word="pmd[0]:clear")
    w.put(Held("ptl7", destroyed=True))
    gathered["tlb"] = Local("tlb", "queue: 9, 7", depth=1)
    one([in_task, line(munmap, 8), line(finish, 2)], "flush_tlb_mm_range(tlb)", "flush_tlb_mm_range")
    w.step(
        1,
        "queue",
        "queue",
        [("queue", {"frame": 7}), ("lock.destroyed", {"lock": "ptl7"})],
        word="pte-table[0]:queue_free",
    )
    tlb = []
    w.put(Frame(7, level="pte", state="unlinked", note="flushed", lock="ptl7"))
    done = [in_task, line(munmap, 8)]
    one([*done, line(finish, 3)], "free_pages(tlb.pages)", "free_pages")
    w.step(1, "flush", "flush", [("flush", {}), ("ipi.answered", {"who": 0})], ipi=(0,), word="flush:begin")
    w.put(Frame(9, kind="page", state="freed", note="on the free list"))
    gathered["tlb"] = Local("tlb", "queue: 7", depth=1)
    one([*done, line(finish, 4)], "free_pages(tlb.tables)", "free_pages")
    w.step(1, "free", "free 9", [("free.page", {"frame": 9})], word="page[0]:free")
    w.put(Frame(7, level="pte", state="freed", note="on the free list", lock="ptl7"))
    del gathered["tlb"]
    one([in_task, line(munmap, 9)], "mmap_read_unlock(mm)", "mmap_read_unlock")
    w.step(1, "free", "free 7", [("free", {"frame": 7})], word="pte-table[0]:free(direct)")
    w.put(Held("mmap_lock"))
    gathered.clear()
    one([line(task, 3)], "alloc_page()", "alloc_page")
    w.step(
        1,
        "unlock",
        "unlock",
        [("unlock", {"lock": "mmap_lock"}), ("text", {"text": "munmap is done."})],
        word="mmap_lock:read_unlock",
    )
    w.put(
        Frame(7, level="pte", state="data", generation=1, note="reused as data", lock="ptl7"),
        Slot(7, 3, word="“order 17”"),
    )
    gathered["page"] = Local("page", to=7, generation=1)
    one([line(task, 3)], None, "", state="finished")
    w.step(1, "alloc", "alloc", [("alloc", {"frame": 7})])
    zero(7, None, "", pgd, pud, pmd, ptl, state="stopped")
    w.step(
        0,
        "lock",
        "lock",
        [("lock.dead", {"lock": "ptl7"}), ("bad.metadata", {"frame": 7})],
        word="ptl(pte-table[0]):lock",
    )

    report = {
        "step": 17, "cpu": 0, "kind": "store into a reused frame", "frame": 7, "where": "7.lock", "word": "dead",
        "title": "Store into a reused frame",
        "text": "CPU 0 got frame 7 from pmd[2] at step 3; unlinked at 10, freed at 14, reused at 16, written at 17.",
        "rule": RULE,
    }  # fmt: skip
    verdict = {
        "outcome": "bug", "subject": "store into a reused frame", "steps": 17, "switches": 2, "schedule": "0*3 1*13 0",
        "executions": 28, "failing": 22, "interleavings": 8828, "complete": True, "rule": RULE,
    }  # fmt: skip
    return w.timeline(report, verdict)  # type: ignore[arg-type]


if __name__ == "__main__":
    target = Path(__file__).parent / "data" / "munmap_race.json"
    target.write_text(race().dumps() + "\n", encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size} bytes")

"""Recordings of other kernels: the preset follows the kernel, and what is not known is told, never a crash."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ptwalk.cli import main
from ptwalk.conformance import DIFFERENCES, compare
from ptwalk.conformance.comparison import match
from ptwalk.conformance.layout import BadSetup, lay_out, preset_for
from ptwalk.conformance.vocabulary import canonical, spoken
from ptwalk.errors import PtwalkError
from ptwalk.kernel.config import PRESETS
from ptwalk.recordings import Recording, load, names, read_recording


def as_recorded(name: str, **changes: Any) -> dict[str, Any]:
    """A recorder's file, made from a recording that ships."""
    recording = load(name)
    events = [
        {
            "seq": i,
            "cpu": step.cpu,
            "pid": step.pid,
            "comm": step.task,
            "kind": step.kind,
            "fn": "f",
            "callers": [],
        }
        for i, step in enumerate(recording.steps)
    ]
    data: dict[str, Any] = {
        "kernel": recording.kernel, "op": recording.operation, "what": recording.what, "events": events,
        "setup": copy.deepcopy(recording.setup), "normalized": list(recording.words),
        "normalized_from": list(range(len(events))),
    }  # fmt: skip
    return data | changes


def read(name: str, **changes: Any) -> Recording:
    return read_recording(as_recorded(name, **changes))


@pytest.mark.parametrize(
    ("kernel", "preset"),
    [
        ("6.1.176", "6.1"), ("6.1.0-50-amd64", "6.1"), ("5.15.0", "5.15.0"), ("5.15.90", "5.15.85"), ("6.6.9", "6.6"),
        ("6.12.9+deb13-amd64", "6.6"), ("6.14", "6.14"), ("7.1.5", "7.1"), ("9.0", "7.1"), ("4.19.1", "5.15.0"),
    ],
)  # fmt: skip
def test_the_preset_follows_the_kernel(kernel: str, preset: str) -> None:
    """The newest preset that is not newer; a kernel older than all gets the oldest."""
    assert preset_for(kernel) == preset
    assert read("mincore", kernel=kernel).kernel == kernel


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("release", sorted(PRESETS))
def test_every_preset_can_be_laid_beside(name: str, release: str) -> None:
    """Each operation runs to its end on each simulated kernel; another kernel's differences are told, not hidden."""
    found = compare(name, release=release)
    assert found.preset == release
    if not found.not_modelled:
        assert "?" not in " ".join(pair.word for pair in found.pairs)


def test_other_presets_differ_where_they_should() -> None:
    """6.6 downgrades below a growing stack and frees a file's table by RCU; the 6.1 recordings show neither."""
    late = compare("munmap_growsdown", release="6.6")
    assert "mmap_lock:downgrade" in [pair.word for pair in late.unexplained]
    deferred = compare("collapse_tmpfs", release="6.6")
    assert "pte-table[0]:free(rcu)" in [pair.word for pair in deferred.unexplained]


def test_tables_freed_by_rcu() -> None:
    """Where RCU frees the tables, some other task is seen doing it, at some other time."""
    data = as_recorded("munmap_tables")
    words = [word for word in data["normalized"] if not word.endswith("free(direct)")]
    words += [f"<ksoftirqd/0>pte-table[{n}]:free(rcu)" for n in (0, 1)]
    words[-2], words[-3] = words[-3], words[-2]
    data["normalized"] = words
    assert not compare(read_recording(data), table_free="batch").agrees
    found = compare(read_recording(data))
    assert found.agrees, str(found)
    assert found.axes == {"table_free": "rcu"} and "preset 6.1, table_free=rcu" in str(found)
    assert {pair.difference.name for pair in found.meant if pair.difference} <= {"lock break", "grace period"}


def test_a_deferred_free_and_its_destructor() -> None:
    """pte_free_defer: both happen in the callback, whenever and in whatever task that runs; a lost free is no move."""
    recorded = spoken(
        ["i_mmap_rwsem:read_unlock", "<app>pte-table[0]:dtor", "<app>pte-table[0]:free(rcu)", "x:y"]
    )
    simulated = spoken(["i_mmap_rwsem:read_unlock", "x:y", "pte-table[0]:dtor", "pte-table[0]:free(rcu)"])
    pairs = match("collapse_tmpfs", recorded, simulated)
    assert all(pair.matched or pair.difference for pair in pairs)
    used = {pair.difference.name for pair in pairs if pair.difference}
    assert used | {"grace period"} == {entry.name for entry in DIFFERENCES if entry.foreign}
    assert any(
        not p.matched and p.difference is None for p in match("collapse_tmpfs", recorded, simulated[:3])
    )


def test_five_levels() -> None:
    """A recording with P4D entries is laid out in a five-level address space."""
    data = as_recorded("mincore")
    data["setup"]["entries_at_begin"]["p4d[0x600000000000]"] = data["setup"]["entries_at_begin"][
        "pgd[0x600000000000]"
    ]
    assert {"p4d[0]:read"} == {pair.word for pair in compare(read_recording(data)).unexplained}


def test_unknown_words_are_told() -> None:
    """A word that this ptwalk does not know is a difference, named as such."""
    words = list(load("mincore").words)
    words.insert(4, "vma_lock:whatever(new)")
    data = as_recorded("mincore", normalized=words)
    data["events"].append({**data["events"][-1], "seq": 99})
    data["normalized_from"] = [*range(len(words) - 1), 99]
    found = compare(read_recording(data))
    assert found.unknown == ("vma_lock:whatever(new)",)
    assert [pair.word for pair in found.unexplained] == ["vma_lock:whatever(new)"]
    assert "a word not known here: vma_lock:whatever(new)" in str(found)


def test_unknown_operations_are_told() -> None:
    """An operation nobody has heard of gives a comparison that says so."""
    found = compare(read("mincore", op="process_madvise"))
    assert "never heard" in found.not_modelled and not found.agrees
    assert "not modelled" in str(found)


def test_another_place_in_the_address_space() -> None:
    """Nothing hangs on the addresses of the recordings that ship."""
    text = json.dumps(as_recorded("munmap_tables")).replace("0x6000", "0x7100")
    assert compare(read_recording(json.loads(text))).agrees


@pytest.mark.parametrize("missing", ["region", "vmas_near", "entries_at_begin"])
def test_a_setup_without_its_parts(missing: str) -> None:
    """A setup that does not say what to lay out gets one sentence."""
    data = as_recorded("munmap_tables")
    del data["setup"][missing]
    with pytest.raises(BadSetup, match="cannot be laid out"):
        lay_out(read_recording(data), "6.1")


def test_a_move_without_destination() -> None:
    """mremap's recording must say where to."""
    data = as_recorded("mremap_pmd")
    del data["setup"]["destination"]
    with pytest.raises(BadSetup, match="destination"):
        compare(read_recording(data))


def test_a_kernel_that_is_no_release() -> None:
    """A release that cannot be read is told as such."""
    with pytest.raises(PtwalkError, match="no kernel release"):
        compare(read("mincore", kernel="mainline"))


def test_words_are_made_comparable() -> None:
    """Loops are written out once, counts lose their absolute value, remarks go; all words that ship are known."""
    said = spoken(
        ["loop*3{pgd[0]:read, pud[0]:read}", "page[1]:ref 3->4", "irq:on(inferred)", "<app>loop*2{x}"]
    )
    assert [s.word for s in said] == ["pgd[0]:read", "pud[0]:read", "page[1]:ref+1", "irq:on", "<app>x"]
    assert [s.loop for s in said] == [3, 3, 0, 0, 2]
    assert canonical("hugepage:ref 2->1") == "hugepage:ref-1"
    assert all(s.known for name in names() for s in spoken(load(name).words))


def test_more_cpus_and_another_one_that_does_it() -> None:
    """Four CPUs of which the third does the operation: numbers are changed, and answers to an IPI come in any order."""
    data = as_recorded("smp_munmap_tables")
    words, numbers = [], []
    for number, word in enumerate(data["normalized"]):
        if word == "flush:cpu0(local)":
            word = "flush:cpu2(local)"
        more = (
            ("flush:cpu3(ipi)", "flush:cpu0(ipi)", "flush:cpu1(ipi)")
            if word == "flush:cpu1(ipi)"
            else (word,)
        )
        words += more
        numbers += [number] * len(more)
    data |= {"normalized": words, "normalized_from": numbers}
    for event in data["events"]:
        event["cpu"] = 2
    data["setup"]["cpus_online"] = 4
    found = compare(read_recording(data))
    assert found.agrees and "flush:cpu3(ipi)" in [pair.word for pair in found.pairs], str(found)


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ptwalk conformance FILE` prints every step; what cannot be read is one line."""
    good, bad = tmp_path / "mincore.json", tmp_path / "bad.json"
    good.write_text(json.dumps(as_recorded("mincore")), encoding="utf-8")
    bad.write_text("[", encoding="utf-8")
    assert main(["conformance", str(good)]) == 0
    out = capsys.readouterr().out
    assert "mincore (Linux 6.1.176, preset 6.1): 10 steps alike" in out and "  = pmd[0]:read" in out
    assert main(["conformance", str(good), "--release", "6.6", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["preset"], found["agrees"]) == ("6.6", False)
    assert main(["conformance", str(bad)]) == 2
    assert "is not JSON" in capsys.readouterr().err
    assert main(["conformance", "munmap_table"]) == 2
    assert "munmap_tables" in capsys.readouterr().err


def test_all_that_ship_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name a line for each recording, and the answer is yes."""
    assert main(["conformance"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(names()) and all(line.endswith("0 not explained") for line in lines)

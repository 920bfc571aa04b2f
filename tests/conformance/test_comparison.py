"""Each recorded operation that is modelled does the same steps in the simulator, in the same order.

Every difference is in the table with its reason; every entry of the table is needed; and a run with a step dropped or
two steps exchanged is noticed.
"""

from functools import cache

import pytest

from ptwalk.arch import EntryState
from ptwalk.conformance import DIFFERENCES, MERGED, compare
from ptwalk.conformance.comparison import Pair, match
from ptwalk.conformance.layout import lay_out, preset_for
from ptwalk.conformance.operations import OPERATIONS, Modelled, NotModelled, operation_of
from ptwalk.conformance.projection import MARKERS
from ptwalk.conformance.run import Run, run_alone
from ptwalk.conformance.vocabulary import Spoken, spoken
from ptwalk.recordings import load, names

MODELLED = [name for name in names() if isinstance(operation_of(load(name).operation), Modelled)]


@cache
def simulated(name: str) -> Run:
    recording = load(name)
    operation = operation_of(recording.operation)
    assert isinstance(operation, Modelled)
    return run_alone(name, lay_out(recording, preset_for(recording.kernel)), operation)


def faults(pairs: tuple[Pair, ...]) -> list[str]:
    return [str(pair) for pair in pairs if not pair.matched and pair.difference is None]


@pytest.mark.parametrize("name", MODELLED)
def test_the_model_does_what_linux_did(name: str) -> None:
    """Every step is in both runs, in the same order, or the table says why not."""
    found = compare(name)
    assert found.preset == "6.1"
    assert not found.unknown
    assert found.agrees, str(found)
    assert found.matched >= 5


def test_all_recordings_are_accounted_for() -> None:
    """All 31 recordings are of operations that the simulator has."""
    assert list(names()) == MODELLED
    assert len(MODELLED) == 31


def test_every_difference_is_needed() -> None:
    """An entry of the table that no recording needs any more has to go."""
    used = {pair.difference.name for name in MODELLED for pair in compare(name).meant if pair.difference}
    assert [entry.name for entry in DIFFERENCES if entry.name not in used and not entry.foreign] == []
    assert len({entry.name for entry in DIFFERENCES}) == len(DIFFERENCES)


def test_every_operation_of_the_table_is_recorded() -> None:
    """The table of operations names no operation that nobody recorded."""
    used = {operation_of(load(name).operation) for name in names()}
    assert [entry.pattern for entry in OPERATIONS if entry not in used] == []


def test_steps_that_say_several_words_are_listed() -> None:
    """Where one step of the model stands for several of the kernel's, the table of merged steps has it."""
    used = set()
    for name in MODELLED:
        for kind, words in simulated(name).steps:
            said = tuple(word for word in words if word not in MARKERS.values())
            if len(said) > 1:
                entries = [entry for entry in MERGED if entry.kind == kind and entry.says(said)]
                assert entries, f"{name}: one step of kind {kind} says {', '.join(said)}"
                used.update(entries)
    assert set(MERGED) == used


@pytest.mark.parametrize("name", MODELLED)
def test_entries_end_as_recorded(name: str) -> None:
    """After the run each watched entry is none, table or leaf as it was in Linux."""
    recording = load(name)
    operation = operation_of(recording.operation)
    assert isinstance(operation, Modelled)
    layout = lay_out(recording, "6.1")
    run = run_alone(name, layout, operation)
    view = layout.kernel.machine.memory_view(run.memory)
    for key, value in recording.setup["entries_at_end"].items():
        mm = layout.mm
        if key.startswith("B."):
            mm = next(r.mm for r in layout.ranges if r.prefix == "B.")
        level, va = key.removeprefix("B.").rstrip("]").split("[")
        table = mm.pgd.pa
        for upper in mm.format.levels:
            raw = view.read_u64(mm.format.entry_address(table, mm.format.index(int(va, 16), upper)))
            entry = mm.format.decode(raw, upper)
            if upper.name == level:
                wanted = mm.format.decode(int(value, 16), upper)
                assert entry.state is wanted.state, (
                    f"{key} is {entry.state.name}, in Linux {wanted.state.name}"
                )
                break
            if entry.state is EntryState.NONE:  # a table that moved away is known by its old place
                assert (
                    int(
                        recording.setup["entries_at_end"][f"{upper.name}[{int(va, 16) & -upper.size:#x}]"], 16
                    )
                    == 0
                )
                break
            assert entry.address is not None
            table = entry.address


@pytest.mark.parametrize(
    "name",
    [
        "gup_fast",
        "mremap_pmd",
        "smp_dontneed",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in MODELLED
            if name not in ("gup_fast", "mremap_pmd", "smp_dontneed")
        ),
    ],
)
def test_a_step_dropped_or_exchanged_is_noticed(name: str) -> None:
    """Without a word, or with two neighbours exchanged, the comparison fails, but for words only the model has."""
    recording = load(name)
    operation, recorded, words = recording.operation, spoken(recording.words), simulated(name).words
    own = {
        pair.simulated.step for pair in match(operation, recorded, words) if pair.difference and pair.simulated
        if pair.difference.side == "simulated"
    }  # fmt: skip
    quiet = []
    for i, word in enumerate(words):
        if word.step not in own and not faults(match(operation, recorded, words[:i] + words[i + 1 :])):
            quiet.append(f"without {word.word}")
        if i + 1 == len(words) or word.word == words[i + 1].word:
            continue
        exchanged = [*words[:i], words[i + 1], word, *words[i + 2 :]]
        if {word.step, words[i + 1].step} & own or faults(match(operation, recorded, exchanged)):
            continue
        quiet.append(f"{words[i + 1].word} before {word.word}")
    assert quiet == []


def test_a_step_that_moved_must_be_in_both_runs() -> None:
    """A page whose free comes later in Linux is excused; a page that is never freed is not."""
    name = "collapse_madv"
    words = simulated(name).words
    kept = [said for said in words if said.word != "page[511]:free"]
    assert any("page[511]:free" in fault for fault in faults(match(name, spoken(load(name).words), kept)))


def test_the_second_cpu_takes_an_ipi() -> None:
    """With a thread in user mode on CPU 1 the flush and the table sync go there too, in the recorded order."""
    words = [said.word for said in simulated("smp_collapse_madv").words]
    first = words.index("flush:send_ipi")
    assert words[first : first + 3] == ["flush:send_ipi", "flush:cpu0(local)", "flush:cpu1(ipi)"]
    assert "table_sync:cpu1(ipi)" in words


def test_comparison_as_json_and_text() -> None:
    """A comparison is JSON with each pair's steps and reasons; as text it shows what is not explained."""
    found = compare("dontneed")
    data = found.to_json()
    assert data["preset"] == "6.1" and data["by"] == "actors.madvise.madvise_dontneed"
    assert any(pair["reason"] for pair in data["pairs"])
    worse = compare("dontneed", differences=())
    assert not worse.agrees
    assert "NOT EXPLAINED" in str(worse) and "0 not explained" in str(found)


def test_an_operation_nobody_has_heard_of() -> None:
    """An operation nobody has heard of is told so."""
    strange = operation_of("userfaultfd_move")
    assert isinstance(strange, NotModelled) and "never heard" in strange.reason


def test_a_word_out_of_place_is_unexplained() -> None:
    """A free before its flush is not excused by anything in the table."""
    recorded = spoken(["flush:begin", "tlb_gen:inc", "flush:cpu0(local)", "page[0]:free"])
    early = [Spoken("page[0]:free", 0), *recorded[:3]]
    assert len(faults(match("munmap_alone", recorded, early))) == 2

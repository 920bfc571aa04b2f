"""What a lesson or an exercise sets in bold is a term that the glossary explains, or one of few other things."""

import re
from pathlib import Path

import pytest

from authoring import percent

ROOT = Path(__file__).resolve().parent.parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
SCRIPTS = sorted((ROOT / "authoring").glob("*/[0-9]*.py"))

# Bold for weight, not for a new word. A new word goes into docs/glossary.md instead. So is a phrase of four words.
STRESSED = {
    *(
        "a",
        "after",
        "after this",
        "again",
        "and",
        "before",
        "d",
        "e",
        "exercises",
        "for writing",
        "holds",
        "lost",
    ),
    *("memory", "not", "on the lru list", "once", "reading", "run all", "truth", "writing", "you can now"),
    *(
        "2a",
        "2b",
        "cpu 0",
        "cpu 1",
        "gap",
        "interrupts are off",
        "not preemptible",
        "schedule line",
        "set of vmas",
    ),
    "your own process",
}


def folded(words: str) -> str:
    """Words without their endings, so that "zaps" and "to zap" are one."""
    low = re.sub(r"[-_]", " ", " ".join(words.lower().split()))
    return re.sub(r"(?:ible|ies|ing|ion|ped|es|ed|s|y|e|d)\b", "", low)


def explained() -> set[str]:
    """Every term of the glossary, and other names for it that stand there in italics or bold."""
    named = re.findall(r"^- \*\*(.+?)\*\*:", GLOSSARY, re.MULTILINE)
    also = re.findall(r"(?<!\*)\*{1,2}([^*\n]+)\*{1,2}", GLOSSARY)
    return {folded(term) for term in [*named, *also]} | {folded(term.split()[0]) for term in named}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_terms_in_bold_are_in_the_glossary(script: Path) -> None:
    """A word in bold is explained in docs/glossary.md, unless it opens a paragraph or only carries weight."""
    known = explained()
    missing = []
    for cell in percent.read_script(script):
        if cell.kind != "markdown":
            continue
        for bold in re.findall(r"\*\*([^*]+?)\*\*", cell.source):
            words = " ".join(bold.split())
            phrase = words[-1] in ".:?!" or len(words.split()) > 3
            if not phrase and words.lower() not in STRESSED and folded(words) not in known:
                missing.append(f"{cell.name}: {words}")
    assert missing == [], "explain them in docs/glossary.md, or take the bold away"

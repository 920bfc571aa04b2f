"""Draws the pictures of the manual from the shipped captures: `python docs/images/draw.py` writes them anew.

A test compares what it draws with the files, so that no picture shows what the library no longer says.
"""

from pathlib import Path

from ptwalk.arch import format_named
from ptwalk.capture import open_capture
from ptwalk.views import entry, space, walk

FOLDER = Path(__file__).parent


def pictures() -> dict[str, str]:
    """Every picture by file name, as SVG."""
    x86, arm = open_capture("x86_64-4level-6.1"), open_capture("aarch64-4k-48bit-6.1")
    paged_out = next(vma for vma in x86.vmas if "swap-private" in vma.labels)
    pages = range(paged_out.start, paged_out.end, x86.format.page_size)
    swapped = next(va for va in pages if x86.walk(va).physical is None)
    huge = next(vma for vma in x86.vmas if "hugetlb-2048kB-shared" in vma.labels).start
    arm_fmt = format_named("arm64-4k-48", release="6.1")
    found = {
        "entry-x86-64.svg": entry.svg(x86.walk(0x10000).levels[-1].entry),
        "entry-arm64-prot-none.svg": entry.svg(
            arm_fmt.decode(arm_fmt.make_prot_none(0x41E5C000, "pte"), "pte")
        ),
        "walk-huge-page.svg": walk.svg(x86.walk(huge + 0x12345)),
        "walk-swapped.svg": walk.svg(x86.walk(swapped)),
    }
    for name, capture in (("x86-64", x86), ("arm64", arm)):
        drawn = space.svg(
            capture.format,
            list(capture.mapped_ranges("user")),
            capture.tables("user"),
            name=f"A Linux process on {name}",
        )
        found[f"space-{name}.svg"] = drawn
    return {name: svg + "\n" for name, svg in found.items()}


if __name__ == "__main__":
    for file_name, content in pictures().items():
        (FOLDER / file_name).write_text(content, encoding="utf-8")

"""`python -m ptwalk.conformance`: prints the page `docs/conformance.md`.

Room: conformance.
"""

from __future__ import annotations

from ptwalk.conformance.comparison import compare
from ptwalk.conformance.page import page
from ptwalk.recordings import names

if __name__ == "__main__":
    print(page(compare(name) for name in names()), end="")

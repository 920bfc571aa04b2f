"""`python -m ptwalk.conformance [FILE.json ...]`: lays recordings beside simulated runs; `--page` prints the docs page.

Room: conformance.
"""

from __future__ import annotations

import sys

from ptwalk.conformance.comparison import compare
from ptwalk.conformance.page import page
from ptwalk.errors import PtwalkError
from ptwalk.recordings import names


def main(arguments: list[str]) -> int:
    """Compares all recordings that ship, or those in the files named; 1 if a difference is not meant."""
    files = [argument for argument in arguments if argument != "--page"]
    worst = 0
    done = []
    for what in files or names():
        try:
            found = compare(what)
        except PtwalkError as error:
            print(f"{what}: {error}", file=sys.stderr)
            worst = 1
            continue
        done.append(found)
        worst = max(worst, int(bool(found.unexplained)))
    print(
        page(done) if "--page" in arguments else "\n".join(map(str, done)),
        end="" if "--page" in arguments else "\n",
    )
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The sanitizers room: oracles that judge steps.

A sanitizer sees `trace.observation` values and nothing else: it never sees the machine, the kernel or the explorer.  It is an
object with

    name                    one word for reports and lists
    observe(seen)           an `Observation`: a `Report` if this step breaks the sanitizer's rule, else None
    at_end(end)             an `EndOfRun`: a `Report` or None (leave the method out if there is nothing to say)

`machine.observe` turns sanitizers into a program's observers.  What a sanitizer may look at is what the step's
footprint names; so its judgement depends on nothing that an independent step of another CPU could change.  A
sanitizer keeps no state between steps: what must be remembered lives in cells that the operations declare.
"""

from ptwalk.sanitizers.lifetime import Lifetime

__all__ = ["Lifetime"]

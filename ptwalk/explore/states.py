"""Stateful search: every state once, layer by layer, with the number of ways to each.

Room: explore.  Knows the state space.  A state fixes the log of every CPU, so all ways to it have the same length
and the state graph has no cycles.  The search needs to remember no more than two layers, and by adding up the
ways it counts every interleaving without running one.
"""

from __future__ import annotations

import sys

from ptwalk.explore.limits import LimitReached, Tally
from ptwalk.explore.space import StateSpace


class Violated(Exception):
    """The search met a violation and was asked to stop at the first one."""


def search(space: StateSpace, tally: Tally, *, stop_at_first: bool) -> bool:
    """Visit every state of `space` and count; True if there is a violation anywhere (`tally.violated` says it too).

    Raises `Violated` at the first one if asked to, and `LimitReached`.  The tally is complete at the end only.
    """
    tables, masks, work_out = space.tables, space.node_masks, space.work_out
    every = tuple(range(space.cpus))
    layer = {space.initial: 1}
    ways_to_the_end = 0
    # Steps that an earlier look at this space has worked out are not worked out again: ask what it found.
    tally.violated = any(node.bad for trie in space.tries for node in trie.nodes)
    if tally.violated and stop_at_first:
        raise Violated
    while layer:
        following: dict[int, int] = {}
        known = following.get
        for state, ways in layer.items():
            moved = False
            for cpu in every:
                node = tables[cpu][state & masks[cpu]]
                flips = node.outcomes.get(state & node.mask)
                if flips is None:
                    flips = work_out(node, state)
                    if node.bad and state & node.mask in node.bad:
                        tally.violated = True
                        if stop_at_first:
                            raise Violated
                if flips:
                    moved = True
                    after = state ^ flips
                    following[after] = known(after, 0) + ways
            if not moved:
                ways_to_the_end += ways
                if space.at_end(state) is not None:
                    tally.violated = True
                    if stop_at_first:
                        raise Violated
                elif space.is_cut(state):
                    tally.cut = True
        tally.states += len(layer)
        _weigh(layer, following, tally)
        tally.tick()
        layer = following
    tally.interleavings = ways_to_the_end
    return tally.violated


def _weigh(layer: dict[int, int], following: dict[int, int], tally: Tally) -> None:
    # The cost of a state: its slot in the dictionary, the packed integer and the count.
    held = len(layer) + len(following)
    state, ways = next(iter(layer.items()))
    slots = sys.getsizeof(layer) + sys.getsizeof(following)
    each = slots // held + sys.getsizeof(state) + sys.getsizeof(ways)
    if held > tally.most_held:
        tally.most_held, tally.state_bytes = held, each
    megabytes = tally.limits.megabytes
    if megabytes is not None and held * each > megabytes * 1_000_000:
        raise LimitReached(f"the limit of {megabytes:g} megabytes for states was reached")

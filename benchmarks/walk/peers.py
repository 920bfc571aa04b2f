"""volatility3 and drgn over the same core: their bare walks as plain functions from address to address.

Neither is needed by ptwalk; a peer that is not installed is left out, and its name printed.  Both are given the
unpacked trimmed core, over which volatility3's public `translate` refuses nearly every address because it
also asks that the target page be in the file: so its own loop is measured over a core in which every page
asked for is there (see `roomy`).
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from pathlib import Path
from typing import Any

Walk = Callable[[list[int]], list[int | None]]


def volatility3_walks(core: Path, root: int) -> dict[str, Walk]:
    """`_translate` (the walk alone) and `translate` (the public call) of `Intel32e`."""
    try:
        from volatility3.framework import contexts, exceptions
        from volatility3.framework.layers import elf, intel, physical
    except ImportError:
        print("volatility3 is not installed: pip install volatility3")
        return {}
    context = contexts.Context()
    context.config["file.location"] = core.absolute().as_uri()
    context.add_layer(physical.FileLayer(context, "file", "file"))
    context.config["elf.base_layer"] = "file"
    context.add_layer(elf.Elf64Layer(context, "elf", "elf"))
    context.config["vm.memory_layer"] = "elf"
    context.config["vm.page_map_offset"] = root
    layer = intel.Intel32e(context, "vm", "vm")
    context.add_layer(layer)

    def loop(function: Callable[[int], Any]) -> Walk:
        def walk(addresses: list[int]) -> list[int | None]:
            out: list[int | None] = []
            for va in addresses:
                try:
                    out.append(function(va)[0])
                except exceptions.InvalidAddressException:
                    out.append(None)
            return out

        return walk

    return {"volatility3 _translate": loop(layer._translate), "volatility3 translate": loop(layer.translate)}


def drgn_walks(core: Path, truth: dict[str, Any]) -> dict[str, Walk]:
    """The C function below drgn's public helper `follow_phys`, which needs no debugging symbols."""
    try:
        import drgn
        from _drgn import _linux_helper_follow_phys
    except ImportError:
        print("drgn is not installed: pip install drgn")
        return {}
    program = drgn.Program()
    program.set_core_dump(core)
    # The direct map's base, as most kernel addresses have it, gives the root's kernel address.
    differences = collections.Counter(
        int(va, 16) - int(pa, 16)
        for va, pa in truth["qemu_gva2gpa_kernel"]
        if pa and int(va, 16) >> 47 == 0x1FFFF and (int(va, 16) - int(pa, 16)) % (1 << 30) == 0
    )
    pgd = differences.most_common(1)[0][0] + int(truth.get("kernel_root", truth["root"]), 16)

    def walk(addresses: list[int]) -> list[int | None]:
        out: list[int | None] = []
        for va in addresses:
            try:
                out.append(_linux_helper_follow_phys(program, pgd, va))
            except drgn.FaultError:
                out.append(None)
        return out

    return {"drgn C function": walk}


def roomy(data: bytes, physical: list[int]) -> bytes:
    """The same core with an (empty) page for each of these physical addresses added where it has none.

    It is what a peer needs that looks for the page itself; sparse where the file system can be.
    """
    import struct

    phoff = struct.unpack_from("<Q", data, 32)[0]
    count = struct.unpack_from("<H", data, 56)[0]
    headers = [struct.unpack_from("<IIQQQQQQ", data, phoff + 56 * n) for n in range(count)]
    held = {page for h in headers if h[0] == 1 for page in range(h[4] >> 12, (h[4] + h[5]) >> 12)}
    wanted = sorted({pa >> 12 for pa in physical} - held)
    runs: list[list[int]] = []
    for page in wanted:
        if runs and runs[-1][1] == page:
            runs[-1][1] += 1
        else:
            runs.append([page, page + 1])
    moved = 56 * len(runs)
    start = phoff + 56 * count
    out = bytearray(data[:phoff])
    end = len(data) + moved
    headers = [(*h[:2], h[2] + moved, *h[3:]) for h in headers]
    for first, last in runs:
        size = (last - first) << 12
        headers.append((1, 0, end, 0, first << 12, size, size, 0))
        end += size
    # Sorted by address, as a dump has them: volatility3 relies on it.
    for h in sorted(headers, key=lambda h: (h[0] == 1, h[4])):
        out += struct.pack("<IIQQQQQQ", *h)
    struct.pack_into("<H", out, 56, count + len(runs))
    return bytes(out) + data[start:] + bytes(end - len(data) - moved)

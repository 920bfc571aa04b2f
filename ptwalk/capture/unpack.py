"""The bytes of a core file, whichever way it was packed, without reading a large one whole.

Part of `capture`; knows files and compression, nothing of ELF.  What a file is, its first bytes say,
not its name.
"""

from __future__ import annotations

import gzip
import lzma
import mmap
import shutil
import stat
import tempfile
import zlib
from pathlib import Path
from typing import IO, Any

from ptwalk.errors import CaptureError

IN_MEMORY = 64 << 20
"""A packed core up to this size unpacked (bytes) is kept in memory; a larger one goes to a temporary file."""

UNPACKED_LIMIT = 64 << 30
"""A packed core may unpack to at most this many bytes."""

_CHUNK = 1 << 20

# First bytes of formats that people do have at hand, and what to do with them.
_ELSEWHERE = (
    (b"\x28\xb5\x2f\xfd", "is packed with zstd", "unpack it first: zstd -d"),
    (b"BZh", "is packed with bzip2", "unpack it first: bunzip2"),
    (b"PK\x03\x04", "is a zip archive", "unpack it first: unzip"),
    (b"KDUMP   ", "is a kdump-compressed dump", "dump again without -z, -l or -s: dump-guest-memory FILE"),
    (b"makedumpfile", "is a flattened kdump", "dump again as ELF: dump-guest-memory FILE"),
    (b"QEVM", "is a saved machine state, not a core", "use the monitor's dump-guest-memory instead"),
    (b"QFI\xfb", "is a qcow2 disk image", "use the monitor's dump-guest-memory instead"),
    (b"EMiL", "is a LiME dump", "convert it to an ELF core with p_paddr set to guest-physical addresses"),
)


def file_bytes(path: Path, limit: int = UNPACKED_LIMIT) -> memoryview:
    """The unpacked bytes of the file at `path`, as a read-only view.

    A plain file is mapped, not read: only the pages that are looked at come from the disk. A packed one
    (.xz, .gz) is unpacked once, into memory or into an unnamed temporary file; `limit` is the greatest
    unpacked size in bytes. Raises `CaptureError` for a file that is missing, unreadable, empty, of
    another kind, damaged, or too large.
    """
    try:
        # Asked before it is opened: a pipe that nobody writes to would keep us waiting for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise CaptureError(f"{path} is no ordinary file: save the core to one, and give that")
        with path.open("rb") as file:
            head = file.read(16)
            if not head:
                raise CaptureError(f"{path} is empty: copy the core again, and check the size")
            for magic, what, todo in _ELSEWHERE:
                if head.startswith(magic):
                    raise CaptureError(f"{path} {what}: {todo}")
            file.seek(0)
            if head.startswith(b"\xfd7zXZ\x00"):
                return _unpacked(path, lzma.LZMAFile(file), limit, "xz -t")
            if head.startswith(b"\x1f\x8b"):
                return _unpacked(path, gzip.GzipFile(fileobj=file), limit, "gzip -t")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise CaptureError(
            f"{path} cannot be read ({error.strerror or error}): check path and rights"
        ) from error


def _unpacked(path: Path, packed: IO[bytes] | Any, limit: int, tester: str) -> memoryview:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    total = 0
    with packed, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as out:
        try:
            while chunk := packed.read(_CHUNK):
                total += len(chunk)
                if total > limit:
                    raise CaptureError(
                        f"{path} unpacks to more than {limit:,} bytes: unpack it yourself and open the plain file"
                    )
                if total > IN_MEMORY and total > free - (free >> 4):
                    raise CaptureError(
                        f"{path} does not fit unpacked in {tempfile.gettempdir()} ({free:,} bytes free):"
                        " make room there, or unpack it elsewhere and open the plain file"
                    )
                out.write(chunk)
        except (lzma.LZMAError, EOFError, zlib.error, gzip.BadGzipFile, MemoryError) as error:
            raise CaptureError(
                f"{path} is damaged or cut short ({error}): copy it again, and check it with {tester}"
            ) from error
        if not total:
            raise CaptureError(f"{path} holds nothing once unpacked: make the dump again")
        out.seek(0)
        if total <= IN_MEMORY:
            return memoryview(out.read())
        out.flush()
        # The mapping outlives the file object, and the file, which has no name, ends with the mapping.
        return memoryview(mmap.mmap(out.fileno(), 0, access=mmap.ACCESS_READ))

"""Walls round a process that runs somebody else's code: what this system gives us, put up from inside, once.

Knows the operating system, nothing of the course.  `put_up` is called by the process itself before it runs the first
line of a learner; it can't be undone.  Every wall is tried by itself, and the result names those that stand, so that
nobody is told of a protection that is not there.  What these walls do not stop: reading files that the user may
read, and code in the same process lying about itself.

*Source*: setrlimit(2), prctl(2), unshare(2), landlock(7), seccomp(2); syscall numbers of
include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl, Linux 6.1.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

WALLS = ("memory", "cpu time", "file size", "files outside", "network", "processes", "signals")
"""The names of all walls, in the order in which people read them."""

_DIE_WITH_PARENT = 1
_NO_NEW_PRIVS = 38
_SECCOMP_FILTER = 22, 2
_NEW_USER_AND_NET = 0x1000_0000 | 0x4000_0000

# landlock(7): the rights by which a file system is changed, and in which ABI the later two came.
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_CHANGES = 1 << 1 | sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_WRITE_ONLY = 1 << 1
_O_PATH = 0o10000000

_EPERM, _EAGAIN, _ENOSYS = 1, 11, 38
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_CLONE_THREAD = 0x1_0000
_AF_UNIX = 1


@dataclass(frozen=True)
class _Numbers:
    """The syscall numbers of one architecture; `audit` is how a filter recognises it."""

    audit: int
    socket: int
    clone: int
    kill: int
    tgkill: int
    forks: tuple[int, ...]
    never: tuple[int, ...]


_CLONE3 = 435
# tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal; ptrace, process_vm_readv, process_vm_writev; unshare,
# setns, mount, umount2, bpf, perf_event_open; io_uring_setup, which opens sockets by another door; and what Landlock
# lets through: chmod, fchmod, fchmodat, fchmodat2, chown, fchown, lchown, fchownat, setxattr.
_X86_RIGHTS = (90, 91, 268, 452, 92, 93, 94, 260, 188)
_ARM_RIGHTS = (52, 53, 452, 55, 54, 5)
_NUMBERS = {
    "x86_64": _Numbers(
        audit=0xC000_003E,
        socket=41,
        clone=56,
        kill=62,
        tgkill=234,
        forks=(57, 58),
        never=(200, 129, 297, 424, 101, 310, 311, 272, 308, 165, 166, 321, 298, 425, *_X86_RIGHTS),
    ),
    "aarch64": _Numbers(
        audit=0xC000_00B7,
        socket=198,
        clone=220,
        kill=129,
        tgkill=131,
        forks=(),
        never=(130, 138, 240, 424, 117, 270, 271, 97, 268, 40, 39, 280, 241, 425, *_ARM_RIGHTS),
    ),
}


@dataclass(frozen=True)
class Limits:
    """How much a learner's process may use: bytes of memory and of a file, seconds of processor time."""

    memory: int = 2 << 30
    cpu: int = 300
    file: int = 16 << 20


def put_up(scratch: Path, limits: Limits) -> tuple[str, ...]:
    """Put up every wall that this system gives, for this process and for ever; the names of those that stand.

    `scratch` is the one folder in which files may still be changed.
    """
    standing = _resource_limits(limits)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(
            _DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0
        )  # so that a grader that is killed leaves nothing behind
        alone = libc.unshare(_NEW_USER_AND_NET) == 0
        if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            if _landlock(libc, scratch):
                standing.add("files outside")
            if _seccomp(libc):
                standing |= {"network", "processes", "signals"}
        if alone:
            standing.add("network")
    if "processes" not in standing and _no_more_processes():
        standing.add("processes")
    return tuple(wall for wall in WALLS if wall in standing)


def _resource_limits(limits: Limits) -> set[str]:
    if sys.platform == "win32":
        return set()
    import resource

    wanted = {
        "memory": ("RLIMIT_AS", limits.memory),
        "cpu time": ("RLIMIT_CPU", limits.cpu),
        "file size": ("RLIMIT_FSIZE", limits.file),
        "core": ("RLIMIT_CORE", 0),
    }
    standing = set()
    for wall, (name, value) in wanted.items():
        number = getattr(resource, name, None)
        if number is None or (name == "RLIMIT_AS" and sys.platform == "darwin"):
            continue  # macOS takes RLIMIT_AS and does not keep it
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(OSError, ValueError):
            # Processor time ends by a signal of its own, with a name to tell, before the one that tells nothing.
            resource.setrlimit(number, (value, hard if wall == "cpu time" else value))
            standing.add(wall)
    return standing


def _no_more_processes() -> bool:
    # Where no filter can refuse a fork, the limit does; it does not hold for root.
    if sys.platform == "win32" or os.geteuid() == 0:
        return False
    import resource

    number = getattr(resource, "RLIMIT_NPROC", None)
    if number is None:
        return False
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(number, (0, 0))
        return True
    return False


def _landlock(libc: ctypes.CDLL, scratch: Path) -> bool:
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    changes = _CHANGES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    ruleset = libc.syscall(_LANDLOCK_CREATE, struct.pack("=Q", changes), ctypes.c_size_t(8), 0)
    if ruleset < 0:
        return False
    try:
        for place, rights in ((scratch, changes), (Path(os.devnull), _WRITE_ONLY)):
            folder = os.open(place, _O_PATH)
            try:
                rule = struct.pack("=Qi", rights, folder)
                if libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0):
                    return False
            finally:
                os.close(folder)
        return bool(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _seccomp(libc: ctypes.CDLL) -> bool:
    numbers = _NUMBERS.get(platform.machine())
    if numbers is None:
        return False
    code = program(numbers, os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    option, mode = _SECCOMP_FILTER
    return bool(libc.prctl(option, mode, header, 0, 0) == 0)


def program(numbers: _Numbers, own_pid: int) -> bytes:
    """The filter as classic BPF: no sockets but local ones, no new processes, signals to ourselves only."""
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    number, architecture, first_argument = 0, 4, 16  # struct seccomp_data
    rows: list[tuple[int, int, int, int]] = []

    def row(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        rows.append((operation, if_true, if_false, value))

    def refuse(errno: int) -> None:
        row(answer, _ERRNO | errno)

    row(load, architecture)
    row(equal, numbers.audit, 1, 0)
    refuse(_EPERM)  # the calls of another architecture, such as 32-bit ones
    row(load, number)
    row(at_least, 0x4000_0000, 0, 1)  # x32 calls
    refuse(_EPERM)
    for call in numbers.never:
        row(equal, call, 0, 1)
        refuse(_EPERM)
    for call in numbers.forks:
        row(equal, call, 0, 1)
        refuse(_EAGAIN)
    row(equal, _CLONE3, 0, 1)
    refuse(_ENOSYS)  # its flags lie in memory, where a filter can't look; the C library then takes clone
    for call, test, value in (
        (numbers.clone, any_bit, _CLONE_THREAD),
        (numbers.socket, equal, _AF_UNIX),
        (numbers.kill, equal, own_pid),
        (numbers.tgkill, equal, own_pid),
    ):
        row(equal, call, 0, 4)
        row(load, first_argument)
        row(test, value, 1, 0)
        refuse(_EAGAIN if call == numbers.clone else _EPERM)
        row(answer, _ALLOW)
    row(answer, _ALLOW)
    return b"".join(struct.pack("=HBBI", *each) for each in rows)

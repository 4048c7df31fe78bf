"""What keeps a protocol from the network and from the machine: namespaces, resource limits, a hook.

On Linux a protocol gets a network without any interface, process numbers of its own (so that whatever it
starts ends with it) and a file system that can be written in its scratch folder only. A kernel or container
that refuses this leaves the hook on Python's sockets and the limits; what held is told as a sentence.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Linux: <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>, <linux/capability.h>
NEW_MOUNTS, NEW_IPC, NEW_USER = 0x0002_0000, 0x0800_0000, 0x1000_0000
NEW_PROCESSES, NEW_NETWORK = 0x2000_0000, 0x4000_0000
MS_BIND, MS_RECURSIVE, MS_PRIVATE = 0x1000, 0x4000, 0x4_0000
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_SETATTR, MOUNT_READ_ONLY = 442, 1
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
CAPABILITY_VERSION, LAST_CAPABILITY = 0x2008_0522, 63

NAMES_ASKED = frozenset(
    ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
)
ADDRESSED = frozenset(("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"))


@dataclass(frozen=True, slots=True)
class Isolation:
    """Which walls stand.

    Attributes:
        network: No interface of the machine is there.
        processes: Its processes are numbered apart and end with the first of them.
        files: Nothing but the scratch folder can be written.
    """

    network: bool = False
    processes: bool = False
    files: bool = False

    def sentence(self) -> str:
        """What held, for the attempt."""
        network = (
            "no network (a namespace without interfaces, and a hook on Python's sockets)"
            if self.network
            else "no network for Python's sockets (a hook; this system gives no network namespace)"
        )
        parts = [network]
        parts += ["process numbers of its own"] if self.processes else []
        parts += ["no file written outside its scratch folder"] if self.files else []
        return "; ".join([*parts, "limits on time, memory, bytes written and processes"])


def isolate(scratch: Path) -> Isolation:
    """Move this process where a protocol may be started: the strongest walls that this system gives.

    Children of this process get the process numbers of their own; `confine` gives them their files.

    Args:
        scratch: Folder that stays writable; what works is tried out in it first.
    """
    if not sys.platform.startswith("linux"):
        return Isolation()
    for flags in (
        NEW_USER | NEW_NETWORK | NEW_PROCESSES | NEW_IPC,
        NEW_NETWORK | NEW_PROCESSES | NEW_IPC,  # root where namespaces of users are switched off
        NEW_USER | NEW_NETWORK,
    ):
        found = _tried(flags, scratch)
        if found is not None:
            _unshare(flags)
            return Isolation(True, bool(flags & NEW_PROCESSES), found)
    return Isolation()


def confine(scratch: Path, disk_mb: int) -> None:
    """Make everything but a folder read-only, for this process and its children.

    Raises:
        OSError: The system refuses.
    """
    libc = _libc()
    _demand(libc.unshare(NEW_MOUNTS))
    _demand(libc.mount(None, b"/", None, MS_RECURSIVE | MS_PRIVATE, None))
    place = os.fsencode(scratch)
    _demand(libc.mount(place, place, None, MS_BIND, None))
    _set_read_only(b"/", True)
    _set_read_only(place, False)
    size = f"size={disk_mb}m".encode()
    # semaphores of multiprocessing live there; where it cannot be had they fail, and nothing else does
    libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 0, size)
    libc.mount(b"proc", b"/proc", b"proc", 0, None)


def give_up_rights() -> None:
    """Drop every capability, for good: walls that were put up cannot be taken down from inside."""
    if not sys.platform.startswith("linux"):
        return
    libc = _libc()
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())


def limit_resources(disk_mb: int, memory_mb: int | None, processes: int | None) -> None:
    """Limits that the kernel keeps for each process, behind those that the supervisor keeps for all.

    Args:
        disk_mb: Largest file, in MiB.
        memory_mb: Limit of the tree's memory; a process may ask for twice as much and a GiB, since asking is
            not using. ``None`` where memory of a device is mapped.
        processes: How many processes and threads; ``None`` where the count would hold other processes of
            this user.
    """
    import resource

    _lower(resource.RLIMIT_FSIZE, disk_mb * 2**20)
    _lower(resource.RLIMIT_CORE, 0)
    if memory_mb is not None:
        _lower(resource.RLIMIT_DATA, (2 * memory_mb + 1024) * 2**20)
    if processes is not None and hasattr(resource, "RLIMIT_NPROC"):
        _lower(resource.RLIMIT_NPROC, processes)


def refuse_network() -> None:
    """Let no Python code of this process reach or name another machine; it cannot be undone."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in NAMES_ASKED or (
            event in ADDRESSED and not isinstance(args[1], str | bytes | None)
        ):
            raise PermissionError(errno.EACCES, "A protocol has no network")

    sys.addaudithook(hook)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none gets away."""
    if sys.platform.startswith("linux"):
        _libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """End this process when its parent does, however that ends."""
    if sys.platform.startswith("linux"):
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user")]


def _set_read_only(place: bytes, wanted: bool) -> None:
    asked = _MountAttributes(MOUNT_READ_ONLY if wanted else 0, 0 if wanted else MOUNT_READ_ONLY)
    flags = AT_RECURSIVE if wanted else 0
    size = ctypes.c_size_t(ctypes.sizeof(asked))
    _demand(_libc().syscall(MOUNT_SETATTR, AT_FDCWD, place, flags, ctypes.byref(asked), size))


def _tried(flags: int, scratch: Path) -> bool | None:
    """Try flags in a process that ends: whether files can be walled off too, ``None`` if they are refused."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        found = 2
        with contextlib.suppress(BaseException):
            _unshare(flags)
            found = 1
            confine(scratch, 1)
            (scratch / ".tried").touch()
            found = 0
        os._exit(found)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    (scratch / ".tried").unlink(missing_ok=True)
    return status == 0 if status in (0, 1) else None


def _unshare(flags: int) -> None:
    user, group = os.geteuid(), os.getegid()
    _demand(_libc().unshare(flags))
    if flags & NEW_USER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _lower(kind: int, most: int) -> None:
    import resource

    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # a system without this limit has the supervisor
        resource.setrlimit(kind, (most, most))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _demand(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

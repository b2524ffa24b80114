"""Programs in an empty network namespace, under strace: what they would send, and which files they change.

In such a namespace there is one network interface, loopback. strace sees every system call, also those that C
libraries make without Python.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

TRACED = "%network,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
LOOPBACK = re.compile(
    r'inet_addr\("127\.|"::1"|sa_family=AF_UNIX|sa_family=AF_UNSPEC|inet_addr\("0\.0\.0\.0"\).*port=htons\(0\)'
)
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)", re.MULTILINE)
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


class Call(NamedTuple):
    """One system call as strace writes it; `result` is negative where it failed."""

    name: str
    arguments: str
    result: int


def require_sealing() -> None:
    """Skips the test where strace or a network namespace cannot be had; fails it with EPIQA_REQUIRE_STRACE=1."""
    missing = [name for name in ("strace", "unshare") if shutil.which(name) is None]
    reason = f"not installed: {', '.join(missing)}" if missing else ""
    if not missing:
        probe = subprocess.run([*_sealed(Path(os.devnull)), "true"], capture_output=True, text=True, check=False)
        reason = probe.stderr[-300:] if probe.returncode else ""
    if reason and os.environ.get("EPIQA_REQUIRE_STRACE") == "1":
        pytest.fail(f"the network tests cannot run: {reason}")
    if reason:
        pytest.skip(f"programs cannot be watched here: {reason}")


def start(command: Sequence[str | Path], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Starts a program, sealed off and watched; each of its processes has a log, `log` with its number behind."""
    return subprocess.Popen(
        [*_sealed(log), *map(str, command)],
        env={**environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _sealed(log: Path) -> list[str]:
    namespace = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]
    trace = ["strace", "-ff", "--seccomp-bpf", "-y", "-s", "256", "-e", f"trace={TRACED}", "-o", str(log)]
    return [*namespace, sys.executable, __file__, *trace]


def calls(log: Path) -> Iterator[Call]:
    """Yields the calls of all processes whose logs have this name and a number."""
    for path in sorted(log.parent.glob(f"{log.name}.*")):
        for name, arguments, result in _CALL.findall(path.read_text("utf-8", "replace")):
            yield Call(name, arguments, int(result))


def reaching_out(found: Sequence[Call]) -> list[Call]:
    """Returns the calls that name an address outside of this machine, or open a socket of another family."""
    return [
        call
        for call in found
        if (call.name in ("socket", "socketpair") and not re.match("AF_(UNIX|INET6?),", call.arguments))
        or ("sa_family=" in call.arguments and not LOOPBACK.search(call.arguments))
    ]


def changed_files(found: Sequence[Call]) -> set[Path]:
    """Returns the files and folders that the calls made, renamed, or opened for writing, absolute."""
    changed = set()
    for call in found:
        is_opening = call.name in ("open", "openat", "openat2", "creat")
        is_reading = is_opening and not re.search("O_WRONLY|O_RDWR|O_CREAT", call.arguments)
        if call.result < 0 or is_reading or call.name in _NETWORK:
            continue
        folder = re.match(r"(?:AT_FDCWD|\d+)<(.*?)>", call.arguments)
        for name in re.findall(r'"((?:[^"\\]|\\.)*)"', call.arguments):
            changed.add(Path(os.path.normpath(Path(folder[1] if folder else "/") / name)))
    return changed


_NETWORK = frozenset(
    "socket socketpair bind connect listen accept accept4 getsockname getpeername sendto recvfrom setsockopt"
    " getsockopt shutdown sendmsg recvmsg sendmmsg recvmmsg".split()
)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | _IFF_UP, b""))


if __name__ == "__main__":
    _raise_loopback()
    os.execvp(sys.argv[1], sys.argv[1:])

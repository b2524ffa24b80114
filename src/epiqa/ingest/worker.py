"""The process that parses files for `sandbox`: it reads bytes from a pipe and opens no file itself.

A request is a line of JSON, {"name", "size"}, and that many bytes. The replies are lines of JSON: {"part"} or
{"unreadable"} for each document, then {"end"}, {"error"} or {"memory"}. After the last, the process ends.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import asdict
from typing import Any

from epiqa.errors import IngestError
from epiqa.ingest.formats import parts_of
from epiqa.ingest.parsed import Parsed


def main(memory_bytes: int, cpu_s: int, text_characters: int) -> None:
    """Serves until its input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has no file to write
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply

    def reply(**message: Any) -> None:
        replies.write(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        replies.flush()

    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        try:
            data = sys.stdin.buffer.read(request["size"])
            _allow(cpu_s)
            for part in parts_of(data, request["name"]):
                if not isinstance(part, Parsed):
                    reply(unreadable=asdict(part))
                elif len(part.text) > text_characters:
                    reason = f"has more than {text_characters:,} characters of text: split it"
                    reply(unreadable={"member": part.member, "reason": reason})
                else:
                    reply(part=asdict(part))
                _allow(cpu_s)
            reply(end=True)
        except IngestError as error:
            reply(error=error.reason)
        except MemoryError:
            data = b""
            reply(memory=True)
            return


def _allow(cpu_s: int) -> None:
    """Limits the time for the next document, in seconds, also when nobody waits for it any more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + cpu_s + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

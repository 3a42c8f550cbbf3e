"""Runs a command on a terminal, interrupts it by Ctrl-C once it shows something, and prints what the terminal was told."""

import os
import pty
import sys

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"

pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen, interrupted = b"", False
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break  # So Linux says that the other end is closed.
    if not part:
        break
    seen += part
    if not interrupted and ENTER in seen and b"method" in seen:
        os.write(terminal, b"\x03")
        interrupted = True
_, status = os.waitpid(pid, 0)
entered = "entered" if ENTER in seen else "not entered"
left = "left" if seen.rstrip().rfind(LEAVE) > seen.rfind(ENTER) else "not left"
print(f"{entered}, {left}, status {os.waitstatus_to_exitcode(status)}")

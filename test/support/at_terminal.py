"""Runs a command on a pseudo-terminal: `at_terminal.py PROMPT ANSWER COMMAND...`; what it says goes to stdout.

ANSWER is typed once PROMPT has been said: text and Enter, `^C` or `^D`. Exits as the command does; 128 and the signal when one ended it.
"""

import os
import pty
import sys

KEYS = {"^C": b"\x03", "^D": b"\x04"}

prompt, answer, command = sys.argv[1].encode(), sys.argv[2], sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)

said, typed = b"", False
while True:
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # Linux says EIO when the other side is closed.
        break
    if not chunk:
        break
    said += chunk
    if not typed and prompt in said:
        os.write(terminal, KEYS.get(answer) or answer.encode() + b"\r")
        typed = True

sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)

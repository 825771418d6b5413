#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run a command on a terminal of its own and act as the user at it.

    terminal.py STEP ... -- COMMAND ...

expect:REGEX  wait until the output since the last match holds it
send:TEXT     type; Python's escapes count
size:ROWSxCOLS  change the terminal's size (first: before the command runs)
stop          do not type or read any more, close the terminal (a hang-up)

After the steps the command's end is waited for. Prints what the terminal showed; the status is
the command's, 128 + N for signal N, 200 when something did not come within fifteen seconds.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 15
# Megabytes through two terminals take longer in an emulated machine.
END_LIMIT = 120


class Session:
    def __init__(self, command, size):
        self.seen = b''
        self.all = b''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if size:
                set_size(0, size)
            os.execvp(command[0], command)
        self.open = True

    def read(self, left):
        """One piece of output; False at the end or when nothing came."""
        ready, _, _ = select.select([self.fd], [], [], max(left, 0))
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b''
        self.seen += data
        self.all += data
        return bool(data)

    def expect(self, regex):
        end = time.monotonic() + LIMIT
        while True:
            match = re.search(regex.encode(), self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return
            if not self.read(end - time.monotonic()):
                self.fail(f'no {regex!r}')

    def send(self, data):
        while data:
            _, ready, _ = select.select([], [self.fd], [], LIMIT)
            if not ready:
                self.fail('it takes no input')
            data = data[os.write(self.fd, data):]
            # What it answers must not fill the terminal meanwhile.
            self.read(0)

    def show(self):
        sys.stdout.buffer.write(self.all)
        sys.stdout.flush()

    def fail(self, why):
        self.show()
        print(f'\nterminal.py: {why}', file=sys.stderr)
        os.kill(self.pid, signal.SIGKILL)
        sys.exit(200)

    def end(self):
        end = time.monotonic() + END_LIMIT
        while self.open and self.read(end - time.monotonic()):
            pass
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.show()
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            time.sleep(0.01)
        return self.fail('it does not end')


def set_size(fd, text):
    rows, cols = text.split('x')
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', int(rows), int(cols), 0, 0))


def main():
    split = sys.argv.index('--')
    steps, command = sys.argv[1:split], sys.argv[split + 1:]
    size = None
    if steps and steps[0].startswith('size:'):
        size = steps.pop(0)[5:]
    session = Session(command, size)
    for step in steps:
        verb, _, text = step.partition(':')
        if verb == 'expect':
            session.expect(text)
        elif verb == 'send':
            session.send(text.encode().decode('unicode_escape').encode('latin-1'))
        elif verb == 'size':
            set_size(session.fd, text)
        elif verb == 'stop':
            os.close(session.fd)
            session.open = False
        else:
            sys.exit(f'terminal.py: unknown step {step!r}')
    sys.exit(session.end())


main()

#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""snapshot.py MONITOR OUT: write a running machine's memory to OUT and end the machine."""
import socket
import sys
import time

monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])


def answer():
    text = b""
    while not text.endswith(b"(qemu) "):
        part = monitor.recv(65536)
        if not part:
            break
        text += part
    return text.decode()


def command(line):
    monitor.sendall(line.encode() + b"\n")
    return answer()


answer()
# It is not stopped first: a machine that was saved stopped also wakes up stopped.
command("migrate_set_parameter max-bandwidth 100G")
command('migrate "exec:cat > %s"' % sys.argv[2])
status = ""
for _ in range(600):
    status = command("info migrate")
    if "completed" in status or "failed" in status:
        break
    time.sleep(0.2)
monitor.sendall(b"quit\n")
# Closing earlier can lose the command.
while monitor.recv(65536):
    pass
sys.exit("completed" not in status)

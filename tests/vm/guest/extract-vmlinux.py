#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""extract-vmlinux.py VMLINUZ OUT: the ELF kernel inside a bzImage, whatever it is packed with."""
import subprocess
import sys

PACKERS = (
    (b"\xfd7zXZ\0", ["xz", "-dc"]),
    (b"\x28\xb5\x2f\xfd", ["zstd", "-dcq"]),
    (b"\x1f\x8b\x08", ["gzip", "-dc"]),
    (b"\x02\x21\x4c\x18", ["lz4", "-dc"]),
)
with open(sys.argv[1], "rb") as f:
    data = f.read()
for magic, command in PACKERS:
    at = data.find(magic)
    while at >= 0:
        # Trash behind the packed part makes the program fail after it has printed the kernel.
        try:
            p = subprocess.run(command, input=data[at:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            break
        if p.stdout[:4] == b"\x7fELF":
            with open(sys.argv[2], "wb") as f:
                f.write(p.stdout)
            sys.exit(0)
        at = data.find(magic, at + 1)
sys.exit("no kernel found in " + sys.argv[1])

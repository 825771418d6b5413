#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Print this processor's TSC frequency in kHz. The guest's TSC is the host's, but a guest that counts it
against an emulated timer, on a busy host, is wrong by up to five times, and its clock with it."""
import ctypes
import mmap
import time

# rdtsc; shl $32,%rdx; or %rdx,%rax; ret
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("0f3148c1e2204809d0c3"))
rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))


def both():
    """The two clocks at one time: of many readings that with the shortest time between."""
    best = None
    for _ in range(200):
        a = time.monotonic_ns()
        t = rdtsc()
        b = time.monotonic_ns()
        if best is None or b - a < best[0]:
            best = (b - a, (a + b) // 2, t)
    return best[1:]


ns1, tsc1 = both()
time.sleep(0.1)
ns2, tsc2 = both()
print((tsc2 - tsc1) * 1000000 // (ns2 - ns1))

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""mkarchive.py CASE >FILE: lxmgr archives as somebody hostile would make them."""
import hashlib
import io
import json
import subprocess
import sys
import tarfile

HEAD = {"format": "lxmgr-archive", "version": 1, "name": "evil", "kind": "full"}


def member(name, data=b"", **kw):
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    for k, v in kw.items():
        setattr(info, k, v)
    if info.type == tarfile.REGTYPE:
        info.size = len(data)
    return info.tobuf(tarfile.PAX_FORMAT) + data + b"\0" * (-len(data) % 512)


def directory(name):
    return member(name, type=tarfile.DIRTYPE, mode=0o755)


def link(name, to, kind=tarfile.SYMTYPE):
    return member(name, type=kind, linkname=to)


def device(name, kind, major, minor):
    return member(name, type=kind, devmajor=major, devminor=minor)


CASES = {
    "good": lambda: member("rootfs/ok", b"fine\n"),
    "dotdot": lambda: member("rootfs/../../out", b"x"),
    "absolute": lambda: member("/etc/out", b"x"),
    "outside": lambda: member("out", b"x"),
    "through": lambda: link("rootfs/lnk", "/tmp") + member("rootfs/lnk/out", b"x"),
    "through2": lambda: directory("rootfs/d") + link("rootfs/d/up", "..") + directory("rootfs/d/up/x"),
    "swap": lambda: directory("rootfs/d") + link("rootfs/d", "/tmp") + member("rootfs/d/out", b"x"),
    "hardlink": lambda: link("rootfs/shadow", "/etc/shadow", tarfile.LNKTYPE),
    "hardlink2": lambda: link("rootfs/shadow", "rootfs/../../../etc/shadow", tarfile.LNKTYPE),
    "hardlink3": lambda: link("rootfs/l", "/etc") + link("rootfs/x", "rootfs/l/shadow", tarfile.LNKTYPE),
    "block": lambda: directory("rootfs/dev") + device("rootfs/dev/sda", tarfile.BLKTYPE, 8, 0),
    "char": lambda: device("rootfs/mem", tarfile.CHRTYPE, 1, 1),
    "whiteout": lambda: device("rootfs/gone", tarfile.CHRTYPE, 0, 0),
    "owner": lambda: member("rootfs/theirs", b"x", uid=200000),
    "twice": lambda: member("rootfs/ok", b"1") + member("rootfs/ok", b"2"),
    "orphan": lambda: member("rootfs/no/such/dir", b"x"),
    "deleted": lambda: member("deleted/etc", b""),
    "bomb": lambda: b"".join(member(f"rootfs/zeros{i}", bytes(16 << 20)) for i in range(5)),
    "deep": lambda: b"".join(directory("rootfs" + "/d" * n) for n in range(1, 202)),
    "noroot": lambda: b"",
}


def build(case):
    head = dict(HEAD)
    config = b"lxmgr.hook.pre-start = /bin/touch /run/lxmgr-test-pwned\nlxmgr.limit.pids = 99\n" \
             b"lxmgr.mount.entry = /etc mnt none bind 0 0\n"
    if case == "newer":
        head["version"] = 7
    if case == "foreign":
        head["format"] = "other"
    out = io.BytesIO()
    out.write(member("lxmgr-archive.json", json.dumps(head).encode()))
    if case != "noconfig":
        out.write(member("config", config))
    if case != "noroot":
        out.write(directory("rootfs"))
    out.write(CASES.get(case, CASES["good"])())
    body = out.getvalue()
    digest = hashlib.sha256(body if case != "digest" else body + b"x").hexdigest()
    end = member("lxmgr-end.json", json.dumps({"bytes": len(body), "sha256": digest}).encode())
    if case == "noend":
        end = b""
    if case == "behind":
        end += member("rootfs/late", b"x")
    return body + end + bytes(1024)


def main():
    data = build(sys.argv[1])
    packed = subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    if sys.argv[1] == "cut":
        packed = packed[:-40]
    sys.stdout.buffer.write(packed)


main()

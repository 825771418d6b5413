#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""treelist.py DIR [EXCEPT...]: all of a tree that a backup must bring back, one line a name."""
import hashlib
import os
import stat
import sys


def holes(path, size):
    """Where the data is."""
    parts = []
    with open(path, "rb", buffering=0) as f:
        at = 0
        while at < size:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            parts.append(f"{at}-{end}")
            at = end
    return ",".join(parts)


def content(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(os.fsencode(path)).hex()
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        return f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}"
    if not stat.S_ISREG(st.st_mode):
        return "-"
    with open(path, "rb") as f:
        return f"{st.st_size} {hashlib.sha256(f.read()).hexdigest()} {holes(path, st.st_size)}"


def main():
    top, skip, inodes = sys.argv[1], set(sys.argv[2:]), {}
    names = [""]
    for where, dirs, files in os.walk(top):
        names += [os.path.relpath(os.path.join(where, n), top) for n in dirs + files]
    for name in sorted(names):
        path = os.path.join(top, name) if name else top
        st = os.lstat(path)
        if stat.S_ISSOCK(st.st_mode) or name in skip:
            continue
        first = inodes.setdefault(st.st_ino, name) if not stat.S_ISDIR(st.st_mode) else ""
        attrs = [f"{a}={os.getxattr(path, a, follow_symlinks=False).hex()}"
                 for a in sorted(os.listxattr(path, follow_symlinks=False))
                 if not a.startswith(("security.selinux", "trusted."))]
        print(ascii(name), oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns, st.st_nlink, ascii(first),
              content(path, st), *attrs)


main()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""deep.py look DIR: go down DIR/d/d/d... by descriptors, and tell how deep it is and what lies there.
deep.py dig DIR DEPTH: make that."""
import os
import stat
import struct
import sys

ACL = "system.posix_acl_access"


def acl(*entries):
    """Of (tag, permissions, id) what the kernel takes, version 2."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


def dig(where, depth):
    os.mkdir(where)
    open(where + "/top", "w").close()
    fd = os.open(where, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", 0o755, dir_fd=fd)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    with os.fdopen(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=fd), "w") as f:
        f.write("bottom")
    os.fchdir(fd)
    os.chown("file", 7, 7)
    os.chmod("file", 0o4751)
    os.setxattr("file", "user.deep", b"dark")
    os.utime("file", (1000000000, 1000000000))
    os.link(where + "/top", "hard")
    os.symlink("nowhere", "link")
    os.mkfifo("fifo")
    os.close(os.open("hole", os.O_WRONLY | os.O_CREAT))
    os.truncate("hole", 10 << 20)
    none = 0xffffffff
    os.setxattr("hole", ACL, acl((1, 6, none), (2, 4, 7), (4, 4, none), (16, 4, none), (32, 0, none)))
    os.chmod(".", 0o2711)


if sys.argv[1] == "dig":
    dig(sys.argv[2], int(sys.argv[3]))
    sys.exit(0)
sys.argv.pop(1)
fd, depth, top = os.open(sys.argv[1], os.O_RDONLY), 0, os.stat(sys.argv[1] + "/top")
while "d" in os.listdir(fd):
    below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
    os.close(fd)
    fd, depth = below, depth + 1


def status(name):
    return os.stat(name, dir_fd=fd, follow_symlinks=False)


def text(name):
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=fd)) as f:
        return f.read().strip()


os.fchdir(fd)
user = struct.unpack("<HHI", os.getxattr("hole", ACL)[12:20])
hard, here, hole = status("hard"), os.fstat(fd), status("hole")
print(depth, text("file"), oct(status("file").st_mode & 0o7777), status("file").st_uid % 65536,
      "linked" if hard.st_ino == top.st_ino and top.st_nlink == 2 else "apart",
      os.readlink("link", dir_fd=fd), "fifo" if stat.S_ISFIFO(status("fifo").st_mode) else "none",
      oct(here.st_mode & 0o7777), hole.st_size, "sparse" if hole.st_blocks < 100 else "full",
      int(status("file").st_mtime), os.getxattr("file", "user.deep").decode(), user[2] % 65536, sorted(os.listdir(sys.argv[1])))

# SPDX-License-Identifier: LGPL-2.1-or-later
"""mkapk.py DIR KEY KEYNAME: a small Alpine repository in DIR, in the real format: packages of three
gzip members (signature, control, files), an index whose first member signs the rest. The tree is
DIR/v3.20/main/x86_64. What a test breaks is said by the environment: BREAK=index, control, files,
unsigned, newline, escape. OPENRC=DIR: the package openrc has the files below DIR."""
import base64
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile

out, key, keyname = sys.argv[1:4]
broken = os.environ.get("BREAK", "")
arch = os.environ.get("ARCH", "x86_64")
base = os.path.join(out, "v3.20", "main", arch)
os.makedirs(base, exist_ok=True)


def cut(raw):
    """As abuild-tar --cut: without the end of an archive, since another follows."""
    end = len(raw)
    while raw[end - 512 : end] == bytes(512):
        end -= 512
    return raw[:end]


def tar(files, whole=False):
    raw = io.BytesIO()
    t = tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT)
    for name, kind, data, mode in files:
        info = tarfile.TarInfo(name)
        info.mode = mode
        if kind == "dir":
            info.type = tarfile.DIRTYPE
            t.addfile(info)
        elif kind == "link":
            info.type = tarfile.SYMTYPE
            info.linkname = data
            t.addfile(info)
        else:
            data = data if isinstance(data, bytes) else data.encode()
            info.size = len(data)
            if whole:
                info.pax_headers = {"APK-TOOLS.checksum.SHA1": hashlib.sha1(data).hexdigest()}
            t.addfile(info, io.BytesIO(data))
    t.close()
    return gzip.compress(raw.getvalue() if whole else cut(raw.getvalue()), mtime=0)


def tree(top):
    """The files of a package: those below a directory."""
    files = []
    for where, names, plain in os.walk(top):
        for name in sorted(names + plain):
            path = os.path.join(where, name)
            inside = os.path.relpath(path, top)
            if os.path.islink(path):
                files.append((inside, "link", os.readlink(path), 0o777))
            elif name in names:
                files.append((inside, "dir", None, 0o755))
            else:
                with open(path, "rb") as f:
                    files.append((inside, "file", f.read(), os.stat(path).st_mode & 0o777))
    return files


def sign(data):
    run = subprocess.run(["openssl", "dgst", "-sha1", "-sign", key], input=data, stdout=subprocess.PIPE, check=True)
    return tar([(".SIGN.RSA." + keyname, "file", run.stdout, 0o644)])


index = []


def package(name, version, files, depends="", provides="", scripts=(), triggers=""):
    data = tar(files, whole=True)
    info = f"pkgname = {name}\npkgver = {version}\narch = {arch}\nsize = {len(data)}\n"
    if triggers:
        info += f"triggers = {triggers}\n"
    info += f"datahash = {hashlib.sha256(data).hexdigest()}\n"
    control = tar([(".PKGINFO", "file", info, 0o644)] + [("." + k, "file", v, 0o755) for k, v in scripts])
    sum1 = base64.b64encode(hashlib.sha1(control).digest()).decode()
    if broken == "control" and name == "musl":
        control = tar([(".PKGINFO", "file", info + "x = y\n", 0o644)])
    if broken == "files" and name == "musl":
        data = tar(files + [("evil", "file", "x", 0o755)], whole=True)
    whole = sign(control) + control + data
    with open(os.path.join(base, f"{name}-{version}.apk"), "wb") as f:
        f.write(whole)
    index.append(
        f"C:Q1{sum1}\nP:{name}\nV:{version}\nA:{arch}\nS:{len(whole)}\nI:4096\nT:{name} of a test\n"
        f"U:none\nL:MIT\no:{name}\n"
        + (f"D:{depends}\n" if depends else "")
        + (f"p:{provides}\n" if provides else "")
    )


with open(os.environ["BUSYBOX"], "rb") as f:
    busybox = f.read()
dirs = [(d, "dir", None, 0o755) for d in ("bin", "sbin", "etc", "etc/init.d", "dev", "proc", "sys", "run", "usr", "usr/bin", "usr/sbin")]
package("musl", "1.2.5-r0", [("lib", "dir", None, 0o755), ("lib/libc.musl-x86_64.so.1", "file", "musl\n", 0o755)],
        provides="so:libc.musl-x86_64.so.1=1")
package("busybox", "1.36.1-r29", [("bin", "dir", None, 0o755), ("bin/busybox", "file", busybox, 0o755)],
        depends="so:libc.musl-x86_64.so.1", provides="cmd:busybox=1.36.1-r29",
        scripts=[("post-install", "#!/bin/busybox sh\nexec /bin/busybox --install -s /bin\n"),
                 ("trigger", "#!/bin/busybox sh\nmkdir -p /etc && echo \"$@\" >/etc/triggered\n")],
        triggers="/bin /usr/bin /none /lib/modules/*")
package("busybox-binsh", "1.36.1-r29", [("bin", "dir", None, 0o755), ("bin/sh", "link", "/bin/busybox", 0o777)],
        depends="busybox=1.36.1-r29", provides="/bin/sh cmd:sh=1.36.1-r29")
package("alpine-baselayout", "3.6.5-r0",
        dirs + [("sbin/init", "link", "/bin/busybox", 0o777), ("tmp", "dir", None, 0o1777),
                ("etc/passwd", "file", "root:x:0:0:root:/root:/bin/sh\n", 0o644),
                ("etc/group", "file", "root:x:0:\n", 0o644),
                ("etc/shadow", "file", "root:*::0:::::\n", 0o640),
                ("etc/os-release", "file", "ID=alpine\nVERSION_ID=3.20.3\n", 0o644)],
        depends="/bin/sh",
        scripts=[("pre-install", "#!/bin/sh\necho \"$1\" >/pre-install\n"),
                 ("post-install", "#!/bin/sh\nid -u >/etc/post-install\nexit 1\n")])
openrc = [("etc/init.d", "dir", None, 0o755)]
openrc += [("etc/init.d/" + s, "file", "#!/sbin/openrc-run\n", 0o755) for s in ("networking", "hostname", "killprocs")]
package("openrc", "0.54-r1", tree(os.environ["OPENRC"]) if "OPENRC" in os.environ else openrc,
        depends="/bin/sh musl>=1.2")
package("alpine-base", "3.20.3-r0", [("etc/alpine-release", "file", "3.20.3\n", 0o644)],
        depends="alpine-baselayout busybox openrc !uclibc")
package("nano", "8.0-r0", [("usr/bin/nano", "file", "#!/bin/sh\n", 0o755)], depends="so:libc.musl-x86_64.so.1")
package("needy", "1-r0", [("usr/bin/needy", "file", "#!/bin/sh\n", 0o755)], depends="so:libnone.so.1")
if not broken:
    # More than fits into memory at once, with something behind it.
    package("huge", "1-r0", [("usr/lib", "dir", None, 0o755),
                             ("usr/lib/huge", "file", b"".join(os.urandom(512) + bytes(15872) for _ in range(4300)), 0o644),
                             ("usr/lib/last", "file", "last", 0o600)])
if broken == "escape":
    package("evil", "1-r0", [("../../evil", "file", "x", 0o755)])
text = "\n".join(index) + "\n"
if broken == "newline":
    text = text.replace("P:nano\n", "P:../../nano\n")
body = tar([("DESCRIPTION", "file", "test", 0o644), ("APKINDEX", "file", text, 0o644)], whole=True)
head = sign(body)
if broken == "index":
    body = tar([("DESCRIPTION", "file", "test", 0o644), ("APKINDEX", "file", text + "\n", 0o644)], whole=True)
with open(os.path.join(base, "APKINDEX.tar.gz"), "wb") as f:
    f.write(body if broken == "unsigned" else head + body)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""OCI layouts, good and bad, and a registry of one of them. make DIR BUSYBOX; serve LAYOUT PORTFILE;
boot DIR TAR: an image of a system, of this one layer."""
import ctypes
import gzip
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile

ARCH = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True).stdout.strip() or "amd64"
ARCH = {"armhf": "arm", "i386": "386"}.get(ARCH, ARCH)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def add(t, name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o755, uid=0, gid=0):
    i = tarfile.TarInfo(name)
    i.type, i.mode, i.uid, i.gid, i.linkname, i.size = kind, mode, uid, gid, link, len(data)
    t.addfile(i, io.BytesIO(data) if kind == tarfile.REGTYPE else None)


def layer(*entries):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w") as t:
        for e in entries:
            if callable(e):
                e(t)
            elif isinstance(e, str):
                add(t, e, kind=tarfile.DIRTYPE)
            else:
                add(t, e[0], *e[1:2], **(e[2] if len(e) > 2 else {}))
    return b.getvalue()


class Layout:
    level = 9

    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs/sha256"))
        open(os.path.join(path, "oci-layout"), "w").write('{"imageLayoutVersion":"1.0.0"}')
        self.manifests = []

    def blob(self, data, kind):
        d = hashlib.sha256(data).hexdigest()
        open(os.path.join(self.path, "blobs/sha256", d), "wb").write(data)
        return {"mediaType": kind, "digest": "sha256:" + d, "size": len(data)}

    def image(self, layers, config, tag=None, change=None, arch=ARCH):
        c = {"architecture": arch, "os": "linux", "config": config,
             "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(x).hexdigest() for x in layers]}}
        m = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(json.dumps(c).encode(), CONFIG),
             "layers": [self.blob(gzip.compress(x, self.level, mtime=0), LAYER) for x in layers]}
        if change:
            change(m)
        d = self.blob(json.dumps(m).encode(), MANIFEST)
        if tag:
            d["annotations"] = {"org.opencontainers.image.ref.name": tag}
        self.manifests.append(d)
        return self

    def done(self, change=None):
        if change:
            change(self)
        with open(os.path.join(self.path, "index.json"), "w") as f:
            json.dump({"schemaVersion": 2, "manifests": self.manifests}, f)


def spoil(lay, which):
    """Other bytes of the same length in the blob of a descriptor."""
    p = os.path.join(lay.path, "blobs/sha256", which["digest"][7:])
    data = bytearray(open(p, "rb").read())
    data[-1] ^= 1
    open(p, "wb").write(bytes(data))


def make(d, busybox):
    bb = open(busybox, "rb").read()
    lnk = {"kind": tarfile.SYMTYPE}
    below = layer("bin", ("bin/busybox", bb), ("bin/sh", b"", dict(lnk, link="busybox")),
                  ("bin/id", b"", dict(lnk, link="busybox")), ("bin/cat", b"", dict(lnk, link="busybox")),
                  "etc", ("etc/file", b"old"), ("etc/gone", b"x"), "usr", "usr/lib", ("lib", b"", dict(lnk, link="usr/lib")),
                  "opaque", ("opaque/old", b"x"), "dir", "dir/sub", ("dir/sub/gone", b"x"), ("swap", b"x"), "paws",
                  ("paws/x", b"x"), ("etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n"),
                  "work", ("owned", b"x", {"uid": 7, "gid": 8}), "proc", "sys", "dev", "tmp")
    above = layer(("etc/file", b"new"), ("etc/.wh.gone", b""), ("opaque/mine", b"kept"), ("opaque/.wh..wh..opq", b""),
                  ("dir/.wh.sub", b""), "swap", ("paws", b"x"), ("lib/x", b"usr-lib"))
    config = {"Entrypoint": ["/bin/sh", "-c", 'echo "hello $1|$2|$PWD|$(id -u)|$(id -g)|$PATH"', "sh"],
              "Cmd": ["a b", "it's"], "Env": ["PATH=/opt/bin:/bin", "X=1"], "WorkingDir": "/work", "User": "app"}
    Layout(d + "/app").image([below, above], config, "v1").image([below], config, "other").done()
    Layout(d + "/two").image([below], config, "a").image([above], config, "b").done()
    init = layer("sbin", ("sbin/init", b"", dict(lnk, link="../bin/busybox")), ("etc/inittab", b"::sysinit:/bin/true\n"))
    Layout(d + "/sys").image([below, init], {"Cmd": ["/sbin/init"], "User": "app"}).done()

    def bad(name, layers=(below,), cfg=config, change=None, last=None, arch=ARCH):
        Layout(d + "/bad-" + name).image(list(layers), cfg, None, change, arch).done(last)

    bad("arch", arch="riscv64" if ARCH != "riscv64" else "amd64")

    bad("env", cfg=dict(config, Env=["A=b\nlxmgr.hook.pre-start = /bin/touch /lxmgr-evil"]))
    bad("cmd", cfg=dict(config, Cmd=["x\ny"]))
    bad("user", cfg=dict(config, User="nosuch"))
    bad("digest", last=lambda l: spoil(l, l.manifests[0]))
    keep = {}
    bad("layer-digest", change=lambda m: keep.update(m["layers"][0]), last=lambda l: spoil(l, keep))
    bad("size", change=lambda m: m["layers"][0].update(size=5))
    bad("type", change=lambda m: m["layers"][0].update(mediaType="application/vnd.docker.foreign"))
    bad("dotdot", layers=(below, layer(("../../lxmgr-evil", b"x"))))
    bad("bomb", layers=(below, layer(("zeros", b"\0" * (200 << 20)))))
    bad("manifest-path", last=lambda l: l.manifests[0].update(digest="sha256:../../../../../../etc/passwd"))


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, data=b"", kind="application/json"):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self):
        p = self.path.split("?")[0]
        last = p.rsplit("/", 1)[1]
        index = json.load(open(sys.argv[2] + "/index.json"))["manifests"]
        tags = {m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"] for m in index}
        kind = MANIFEST if "/manifests/" in p else "application/octet-stream"
        digest = tags.get(last, last)[7:]
        file = sys.argv[2] + "/blobs/sha256/" + digest
        if p == "/v2/":
            self.answer(200, b"{}")
        elif not p.startswith("/v2/some/app/") or not digest.isalnum() or not os.path.isfile(file):
            self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}')
        else:
            self.answer(200, open(file, "rb").read(), kind)

    do_HEAD = do_GET

    def log_message(self, *a):
        pass


if sys.argv[1] == "make":
    make(sys.argv[2], sys.argv[3])
elif sys.argv[1] == "boot":
    with open(sys.argv[3], "rb") as f:
        whole = Layout(sys.argv[2])
        whole.level = 1
        whole.image([f.read()], {"Cmd": ["/sbin/init"]}).done()
else:
    # PR_SET_PDEATHSIG: a test that was killed, or a wrapper around python that was, leaves no server.
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != parent:
        sys.exit(1)
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    open(sys.argv[3] + ".new", "w").write(str(s.server_address[1]))
    os.rename(sys.argv[3] + ".new", sys.argv[3])
    s.serve_forever()

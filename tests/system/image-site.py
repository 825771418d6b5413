# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small archive of images in the simplestreams layout, and a server for it.

make DIR: images good and evil, and their index; few DIR: one good one. old DIR, newer DIR: another index; replay DIR: a new index
with an old list. serve DIR PORTFILE:
DIR/cut: answers of big files end in the middle; DIR/slow: they take for ever; DIR/elsewhere: all is there.
serve DIR PORTFILE PEM: with this key and certificate. boot DIR FILE: the image debian/12 alone, from FILE.
"""
import hashlib
import http.server
import io
import json
import os
import ssl
import subprocess
import sys
import tarfile
import time

ARCH = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True).stdout.strip() or "amd64"


def add(t, name, kind=tarfile.REGTYPE, data=b"", link="", mode=0o644, uid=0, gid=0, pax=None):
    i = tarfile.TarInfo(name)
    i.type, i.mode, i.uid, i.gid, i.linkname, i.size = kind, mode, uid, gid, link, len(data)
    i.mtime = 1700000000
    if pax:
        i.pax_headers = pax
    t.addfile(i, io.BytesIO(data) if kind == tarfile.REGTYPE else None)


def directory(t, name, **kw):
    add(t, name, tarfile.DIRTYPE, mode=0o755, **kw)


class Zeros:
    def read(self, n):
        return b"\0" * n


def root(t, pre="./"):
    directory(t, pre)
    directory(t, pre + "etc")
    add(t, pre + "etc/passwd", data=b"root:x:0:0::/root:/bin/sh\n")
    add(t, pre + "etc/machine-id")
    directory(t, pre + "bin")
    add(t, pre + "bin/su", data=b"su", mode=0o4755)
    add(t, pre + "bin/su2", tarfile.LNKTYPE, link=pre + "bin/su")
    directory(t, pre + "home")
    directory(t, pre + "home/user", uid=1000, gid=1000)
    add(t, pre + "home/user/e\u0301", data=b"x", pax={
        "SCHILY.xattr.user.kept": "1", "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.user.overlay.opaque": "y"})
    directory(t, pre + "dev")
    add(t, pre + "dev/sda", tarfile.BLKTYPE)


def big(t):
    root(t)
    add(t, "./blob", data=os.urandom(3 << 20))


def link(t):
    root(t)
    add(t, "./out", tarfile.SYMTYPE, link="/tmp")
    add(t, "./out/lxmgr-evil", data=b"x")


def device(t):
    root(t)
    add(t, "./dev/null", tarfile.CHRTYPE)
    add(t, "./mem", tarfile.CHRTYPE)


def ratio(t):
    root(t)
    i = tarfile.TarInfo("./zeros")
    i.size = 400 << 20
    t.addfile(i, Zeros())


def deep(t):
    root(t)
    directory(t, "./" + "/".join(["d"] * 150))


def unified(t):
    add(t, "metadata.yaml", data=b"architecture: x\n")
    directory(t, "rootfs")
    root(t, "rootfs/")


def one(what):
    def f(t):
        root(t)
        what(t)
    return f


def tar(d, name, fn):
    with tarfile.open(os.path.join(d, "images", name), "w:xz", format=tarfile.PAX_FORMAT, preset=1) as t:
        fn(t)


def item(d, name, ftype="root.tar.xz", **kw):
    data = open(os.path.join(d, "images", name), "rb").read()
    i = {"ftype": ftype, "path": "images/" + name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    i.update(kw)
    return i


def product(alias, versions, system="Test", release="1", variant="default"):
    return {"aliases": alias, "arch": ARCH, "os": system, "release": release, "release_title": "1", "variant": variant,
            "versions": {v: {"items": {i["ftype"]: i}} for v, i in versions.items()}}


def write(d, products, when, list_when=None):
    stamp, list_stamp = (time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(t)) for t in (when, list_when or when))
    os.makedirs(os.path.join(d, "streams/v1"), exist_ok=True)
    for name, v in (("images", {"format": "products:1.0", "datatype": "image-downloads", "content_id": "images",
                                "updated": list_stamp, "products": products}),
                    ("index", {"format": "index:1.0", "updated": stamp, "index": {"images": {
                        "datatype": "image-downloads", "path": "streams/v1/images.json", "format": "products:1.0",
                        "updated": stamp, "products": list(products)}}})):
        with open(os.path.join(d, "streams/v1", name + ".json"), "w") as f:
            json.dump(v, f)


NOW = 1800000000


def few(d):
    os.makedirs(os.path.join(d, "images"), exist_ok=True)
    tar(d, "good.tar.xz", root)
    old, new = item(d, "good.tar.xz", sha256="0" * 64), item(d, "good.tar.xz")
    p = {"debian:12:%s:default" % ARCH: product("debian/12,debian/bookworm", {"20260101_0000": old, "20260102_0000": new},
                                                "Debian", "bookworm")}
    open(os.path.join(d, "good.sha256"), "w").write(new["sha256"])
    write(d, p, NOW)
    return p


def make(d):
    p = few(d)
    tar(d, "big.tar.xz", big)
    tar(d, "unified.tar.xz", unified)
    evil = {"link": link, "device": device, "ratio": ratio, "deep": deep,
            "dotdot": one(lambda t: add(t, "./a/../../lxmgr-evil", data=b"x")),
            "absolute": one(lambda t: add(t, "/lxmgr-evil", data=b"x")),
            "hardlink": one(lambda t: add(t, "./h", tarfile.LNKTYPE, link="../../../etc/shadow")),
            "uid": one(lambda t: add(t, "./h", uid=100000)), "digest": one(lambda t: add(t, "./1")),
            "size": one(lambda t: add(t, "./2"))}
    for variant in ("default", "cloud"):
        tar(d, variant + ".tar.xz", one(lambda t: add(t, "./etc/variant", data=variant.encode())))
        p["alpine:3.22:%s:%s" % (ARCH, variant)] = product(
            "alpine/3.22/" + variant, {"20260101_0000": item(d, variant + ".tar.xz")}, "Alpine", "3.22", variant)
    p["big:1"] = product("big", {"1": item(d, "big.tar.xz")}, "Big")
    p["unified:1"] = product("unified", {"1": item(d, "unified.tar.xz", "lxd_combined.tar.gz")})
    p["squash:1"] = product("squash", {"1": item(d, "good.tar.xz", "squashfs")})
    for name, fn in evil.items():
        tar(d, name + ".tar.xz", fn)
        kw = {"digest": {"sha256": "1" * 64}, "size": {"size": 100}}.get(name, {})
        p["evil:" + name] = product("evil/" + name, {"1": item(d, name + ".tar.xz", **kw)})
    open(os.path.join(d, "images/junk.tar.xz"), "wb").write(os.urandom(5000))
    p["evil:junk"] = product("evil/junk", {"1": item(d, "junk.tar.xz")})
    tar(d, "empty.tar.xz", lambda t: None)
    p["evil:empty"] = product("evil/empty", {"1": item(d, "empty.tar.xz")})
    write(d, p, NOW)


def products(d):
    return json.load(open(os.path.join(d, "streams/v1/images.json")))["products"]


def newer(d):
    p = products(d)
    tar(d, "newer.tar.xz", one(lambda t: add(t, "./new", data=b"1")))
    for name in ("alpine:3.22:%s:default" % ARCH, "debian:12:%s:default" % ARCH):
        if name in p:
            p[name]["versions"]["20260103_0000"] = {"items": {"r": item(d, "newer.tar.xz")}}
    write(d, p, NOW + 1000)


def boot(d, path):
    os.makedirs(os.path.join(d, "images"))
    os.rename(path, os.path.join(d, "images", "boot.tar.xz"))
    write(d, {"debian:12:%s:default" % ARCH: product("debian/12", {"1": item(d, "boot.tar.xz")}, "Debian", "bookworm")}, NOW)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = os.path.join(SITE, self.path.lstrip("/"))
        if os.path.exists(os.path.join(SITE, "elsewhere")):
            self.send_response(302)
            self.send_header("Location", open(os.path.join(SITE, "elsewhere")).read().strip() + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if ".." in self.path or not os.path.isfile(path):
            self.send_error(404)
            return
        data = open(path, "rb").read()
        begin = self.headers.get("Range")
        begin = int(begin[6:].split("-")[0]) if begin else 0
        print(self.path, "bytes=%d" % begin, flush=True)
        if begin >= len(data) and begin:
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        if begin:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (begin, len(data) - 1, len(data)))
        self.end_headers()
        data = data[begin:]
        if len(data) > 1 << 20 and os.path.exists(os.path.join(SITE, "slow")):
            for i in range(0, len(data), 10000):
                self.wfile.write(data[i:i + 10000])
                time.sleep(0.3)
        if len(data) > 1 << 20 and os.path.exists(os.path.join(SITE, "cut")):
            self.wfile.write(data[:1 << 20])
            self.close_connection = True
            return
        self.wfile.write(data)

    def log_message(self, *a):
        pass


def serve(port_file, certificate):
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        s.socket = tls.wrap_socket(s.socket, server_side=True)
    with open(port_file + ".new", "w") as f:
        f.write(str(s.server_address[1]))
    os.rename(port_file + ".new", port_file)
    s.serve_forever()


SITE = sys.argv[2]
if sys.argv[1] == "make":
    make(SITE)
elif sys.argv[1] == "few":
    few(SITE)
elif sys.argv[1] == "old":
    write(SITE, products(SITE), NOW - 1000)
elif sys.argv[1] == "replay":
    write(SITE, products(SITE), NOW + 500, NOW - 1000)
elif sys.argv[1] == "newer":
    newer(SITE)
elif sys.argv[1] == "boot":
    boot(SITE, sys.argv[3])
else:
    serve(sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)

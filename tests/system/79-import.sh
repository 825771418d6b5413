# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Containers of other managers: LXC's directories, OpenVZ's private areas, backups by vzdump, OCI layouts and
# plain roots, each as its manager leaves it, started here; and such as somebody hostile made.
# In machines: check-vm-full.
. ./lib.sh
need python3 zstd busybox jq

SRC=$TREE/.src
HELPERS=$(dirname "$(type -P lxmgr-import)")/../libexec/lxmgr
mkdir -m 0700 "$SRC"
busybox seed || exit 1
GOLD=$CACHE/$(sed -n 's/^base = //p' "$TREE/seed/storage")/rootfs
[ -d "$GOLD" ] || GOLD=$TREE/seed/rootfs

# root DIR [FIRST]: a guest's root, whose ids begin at FIRST on disk.
root() {
	mkdir -p "$1"
	cp -a "$GOLD/." "$1"
	mkdir -p "$1/srv/www" "$1/etc/ssh"
	echo page >"$1/srv/www/page"
	ln "$1/srv/www/page" "$1/srv/www/same"
	ln -s page "$1/srv/www/link"
	printf 'old\n' >"$1/etc/hostname"
	printf '127.0.0.1 localhost\n127.0.1.1 old\n' >"$1/etc/hosts"
	echo 0123456789abcdef0123456789abcdef >"$1/etc/machine-id"
	cp "$(type -P busybox)" "$1/srv/setuid"
	python3 - "$1" "${2:-0}" <<'EOT'
import os, sys
top, first = sys.argv[1], int(sys.argv[2])
own = {"srv/www": (33, 33), "srv/www/page": (33, 33), "srv/www/same": (33, 33), "srv/www/link": (1000, 1000), "srv/setuid": (0, 0)}
seen = set()
for path, dirs, files in os.walk(top):
    for name in [""] + files + [d for d in dirs if os.path.islink(os.path.join(path, d))]:
        p = os.path.join(path, name) if name else path
        st = os.lstat(p)
        if st.st_ino in seen:
            continue
        seen.add(st.st_ino)
        u, g = own.get(os.path.relpath(p, top), (st.st_uid, st.st_gid))
        os.lchown(p, u + first, g + first)
os.chmod(os.path.join(top, "srv/setuid"), 0o4755)
EOT
}
# picture DIR: all that a copy must not change.
picture() {
	tar -C "$1" --sort=name --numeric-owner --xattrs --pax-option=exthdr.name=%d/%f,delete=atime,delete=ctime \
		-cf - . | sha256sum
}
in_ct() { lx attach "$1" -- /bin/sh -c "$2"; }
has() { grep -qxF -- "$2" "$TREE/$1/config"; }
lacks() { ! grep -q -- "$2" "$TREE/$1/config"; }
left() { find "$TREE" -mindepth 1 -maxdepth 1 ! -name seed ! -name .src ! -name '.layers*' ! -name lock; }
# whole NAME: what every guest of root() must look like inside.
whole() {
	is '33:33 33:33 2' "$1: owners and hard links" in_ct "$1" 'echo $(stat -c %u:%g /srv/www /srv/www/page) $(stat -c %h /srv/www/same)'
	is '1000:1000 page' "$1: links" in_ct "$1" 'echo $(stat -c %u:%g /srv/www/link) $(readlink /srv/www/link)'
	is '4755 0:0' "$1: modes" in_ct "$1" 'stat -c "%a %u:%g" /srv/setuid'
}
up() { # up NAME: it starts, whole
	ok "$1: it starts" lx start "$1"
	whole "$1"
}

# LXC: ids shifted on disk, lines of an administrator's
L=$SRC/lxc/web
root "$L/rootfs" 100000
cat >"$L/config" <<EOT
lxc.include = /usr/share/lxc/config/common.conf
lxc.include = /usr/share/lxc/config/userns.conf
lxc.arch = linux64
lxc.idmap = u 0 100000 65536
lxc.idmap = g 0 100000 65536
lxc.apparmor.profile = generated
lxc.rootfs.path = dir:/var/lib/lxc/web/rootfs
lxc.uts.name = shop
lxc.net.0.type = veth
lxc.net.0.flags = up
lxc.net.0.link = lxcbr0
lxc.net.0.hwaddr = 00:16:3e:aa:bb:01
lxc.cgroup2.memory.max = 200M
lxc.cgroup2.pids.max = 123
lxc.hook.start-host = /bin/sh -c "touch $SRC/hooked"
lxc.mount.entry = $SRC host none bind,create=dir 0 0
lxc.apparmor.profile = unconfined
EOT
before=$(picture "$L")
says "mount.entry .*'$SRC'" 'lxc: what is left out is said' lx import "$L"
is "$before" 'lxc: the source is as it was' picture "$L"
ok 'lxc: it has its name' test -d "$TREE/web"
ok 'lxc: memory' has web 'lxmgr.limit.memory = 209715200'
ok 'lxc: processes' has web 'lxmgr.limit.pids = 123'
ok 'lxc: nothing of the host' lacks web 'hook\|mount.entry\|unconfined\|rootfs.path\|100000'
up web
is '' 'lxc: a hook of its config was not run' find "$SRC" -name hooked
is web 'lxc: the host name is the new one' in_ct web hostname
is 'no' 'lxc: the host is not mounted in it' in_ct web '[ -e /host/lxc ] && echo yes || echo no'
is 'yes' 'lxc: another machine id' in_ct web '[ "$(cat /etc/machine-id)" != 0123456789abcdef0123456789abcdef ] && echo yes'
is 'yes' 'lxc: another MAC' in_ct web 'ip link show eth0 | grep -q 00:16:3e:aa:bb:01 || echo yes'
lx stop -k web
status 4 'lxc: the name is taken' lx import "$L"
ok 'lxc: with its identity' lx import -n web2 --keepname --keepid --keepmac "$L"
ok 'lxc: it starts' lx start web2
is 'shop 0123456789abcdef0123456789abcdef' 'lxc: the old one' in_ct web2 'echo $(hostname) $(cat /etc/machine-id)'
is 'yes' 'lxc: the old MAC' in_ct web2 'ip link show eth0 | grep -q 00:16:3e:aa:bb:01 && echo yes'
lx stop -k web2

# vzdump: as Proxmox writes it, the config first, ids as they are inside
V=$SRC/pve
root "$V/root"
mkdir -p "$V/tmp/etc/vzdump"
cat >"$V/tmp/etc/vzdump/pct.conf" <<EOT
#Shop%3A the web server
arch: amd64
cores: 2
cpulimit: 0.5
features: nesting=1,keyctl=1
hostname: shop.example.com
memory: 256
mp0: /etc,mp=/hostetc
nameserver: 192.0.2.53
net0: name=eth0,bridge=vmbr0,firewall=1,gw=10.99.3.1,hwaddr=BC:24:11:00:00:07,ip=10.99.3.7/24,type=veth
onboot: 0
ostype: debian
rootfs: local-lvm:vm-107-disk-0,size=8G
startup: order=3
swap: 64
unprivileged: 1
lxc.hook.start-host: /bin/touch $SRC/hooked
EOT
echo '[OPTIONS]' >"$V/tmp/etc/vzdump/pct.fw"
vzdump() { # vzdump FILE ROOT TAR-OPTIONS...: an archive as vzdump's own call of tar makes it
	local file=$1 root=$2
	shift 2
	tar "$@" -cf "$file" --numeric-owner --sparse --acls --xattrs --one-file-system \
		-C "$V/tmp" ./etc/vzdump/pct.conf ./etc/vzdump/pct.fw -C "$root" .
}
Z=$SRC/vzdump-lxc-107-2026_11_01-00_00_00.tar
vzdump "$Z.zst" "$V/root" --zstd
vzdump "$Z.gz" "$V/root" --gzip
sum=$(sha256sum "$Z.zst")
ok 'vzdump: .zst' lx import "$Z.zst"
is "$sum" 'vzdump: the source is as it was' sha256sum "$Z.zst"
for line in 'lxmgr.limit.memory = 268435456' 'lxmgr.limit.swap = 67108864' 'lxmgr.limit.cpus = 0.500' \
	'lxmgr.nameserver = 192.0.2.53' 'lxmgr.start.order = 999998' 'lxmgr.description = Shop: the web server'; do
	ok "vzdump: $line" has shop "$line"
done
ok 'vzdump: nothing of the host' lacks shop 'hook\|hostetc\|mount\|vmbr0'
if lx create -q -t none -n q -s lxmgr.limit.disk=1G >/dev/null 2>&1; then
	lx destroy -q q
	ok 'vzdump: the limit of the disk' has shop 'lxmgr.limit.disk = 8589934592'
else
	# Here nothing can hold it to that: it could not be started with it.
	ok 'vzdump: a limit of the disk that cannot be is left out' lacks shop 'limit.disk'
	says 'limit of the disk .* left out: .*(-B loop|quota)' 'vzdump: that is said, with what helps' lx import -n said "$Z.zst"
	lx destroy -q said
	status 6 'vzdump: one that is asked for is refused' lx import -n bad --define lxmgr.limit.disk=1G "$Z.zst"
	ok 'vzdump: but not with -B loop' lx import -q -n looped -B loop "$Z.zst"
	ok 'vzdump: it has it there' has looped 'lxmgr.limit.disk = 8589934592'
	is 8589934592 'vzdump: and is held to it' bash -c "lxmgr-disk -P $TREE --json looped | jq .limit"
	up looped
	lx stop -k looped
	lx destroy -q looped
fi
status 64 '--fssize needs a file system of its own' lx import -n bad --fssize 1G "$Z.zst"
ok 'loop: of a size and type' lx import -q -n looped -B loop --fssize 600M --fstype ext4 "$SRC/lxc/web"
ok 'loop: it starts' lx start looped
is yes 'loop: it is that large' in_ct looped 'n=$(df -m / | tail -n 1 | tr -s " " | cut -d" " -f2); [ $n -gt 400 ] && [ $n -le 600 ] && echo yes'
lx stop -k looped
lx destroy -q looped
up shop
is no 'vzdump: its config is not in the root' in_ct shop '[ -e /etc/vzdump ] && echo yes || echo no'
is '' 'vzdump: no hook was run' find "$SRC" -name hooked
lx stop -k shop
says 'mp0|/etc' 'vzdump: .gz, what is left out is said' lx import -n shop2 --keepaddress --keepmac "$Z.gz"
ok 'vzdump: the address is kept' has shop2 'lxmgr.net.0.ipv4.address = 10.99.3.7/24'
ok 'vzdump: the gateway, too' has shop2 'lxmgr.net.0.ipv4.gateway = 10.99.3.1'
ok 'vzdump: it starts' lx start shop2
says 'inet 10.99.3.7/24' 'vzdump: it has the address' in_ct shop2 'ip addr show eth0'
lx stop -k shop2
root "$V/shifted" 100000
vzdump "$SRC/shifted.tar.zst" "$V/shifted" --zstd
ok 'vzdump: ids as they were on disk' lx import -n shifted "$SRC/shifted.tar.zst"
up shifted
lx stop -k shifted

# OpenVZ 6: the private area, and the config beside it
O=$SRC/vz/private
root "$O/117"
cat >"$O/117.conf" <<EOT
PHYSPAGES="0:192M"
SWAPPAGES="0:0"
PRIVVMPAGES="unlimited"
NUMPROC="150:150"
DISKSPACE="2G:2.2G"
CPUUNITS="2000"
VE_ROOT="/vz/root/\$VEID"
VE_PRIVATE="/vz/private/\$VEID"
OSTEMPLATE="debian-12.0-x86_64"
HOSTNAME="vps17.example.com"
IP_ADDRESS="10.99.4.17"
DESCRIPTION="\$(touch $SRC/shell)"
NAMESERVER="\`touch $SRC/shell\`"
ONBOOT="yes"; touch $SRC/shell
EOT
before=$(picture "$O")
says 'DESCRIPTION is left out' 'openvz: what needs a shell is left out' lx import "$O/117"
is "$before" 'openvz: the source is as it was' picture "$O"
is '' 'openvz: no shell has read it' find "$SRC" -name shell
ok 'openvz: memory' has 117 'lxmgr.limit.memory = 201326592'
ok 'openvz: processes' has 117 'lxmgr.limit.pids = 150'
ok 'openvz: weight' has 117 'lxmgr.limit.cpu.weight = 200'
up 117
is 117 'openvz: the host name is the new one' in_ct 117 hostname
lx stop -k 117
ok 'openvz: with its address' lx import -n vz2 --keepaddress --keepname "$O/117"
ok 'openvz: it is routed, as venet is' has vz2 'lxmgr.net.0.veth.mode = router'
ok 'openvz: it starts' lx start vz2
is vps17.example.com 'openvz: the host name' in_ct vz2 hostname
says 'inet 10.99.4.17/32' 'openvz: the address' in_ct vz2 'ip addr show eth0'
ok 'openvz: the host reaches it' ping -c 1 -W 5 10.99.4.17
lx stop -k vz2
mkdir -p "$SRC/vz/7/fs"
cp -a "$O/117/." "$SRC/vz/7/fs"
echo 'NAME="seven"' >"$SRC/vz/7/ve.conf"
ok 'openvz 7: root and config in one' lx import "$SRC/vz/7"
up seven
lx stop -k seven
mkdir "$SRC/vz/7/root.hdd"
says 'ploop' 'openvz 7: an image of ploop is refused' lx import -n bad "$SRC/vz/7"

# Plain roots
tar -C "$V/root" --numeric-owner -czf "$SRC/plain.tar.gz" .
tar -C "$V" --numeric-owner -cJf "$SRC/below.tar.xz" --transform 's,^root,guest-1.0,' root
tar -C "$V" --numeric-owner -cf "$SRC/image.tar" --transform 's,^root,rootfs,' -C "$V/tmp" etc -C "$V" root
says 'no name' 'tar: it has no name' lx import "$SRC/plain.tar.gz"
ok 'tar: at the top' lx import -n plain "$SRC/plain.tar.gz"
up plain
is plain 'tar: the host name is the new one' in_ct plain hostname
lx stop -k plain
ok 'tar: in a directory' lx import -n below "$SRC/below.tar.xz"
ok 'tar: it starts' lx start below
lx stop -k below
ok 'tar: by a pipe' bash -c "zcat '$SRC/plain.tar.gz' | lxmgr-import -P '$TREE' -q --format tar -n piped -"
ok 'tar: the pipe was whole' lx start piped
lx stop -k piped

# OCI
python3 ./oci-site.py make "$SRC/oci" "$(type -P busybox)" >/dev/null || exit 1
says 'than the limit of 1000000 bytes' 'oci: more than it may be' lx import -n sys --max-size 1000000 "$SRC/oci/sys"
says 'more than 3 entries' 'oci: more files than it may have' lx import -n sys --max-entries 3 "$SRC/oci/sys"
ok 'oci: a layout of a system' lx import -n sys "$SRC/oci/sys"
says '^lxmgr.init.cmd = /sbin/init$' 'oci: its init' cat "$TREE/sys/config"
ok 'oci: it boots' lx start sys
lx stop -k sys
says 'several images' 'oci: of two images' lx import -n bad "$SRC/oci/two"
for bad in layer-digest dotdot bomb; do
	status 6 "oci: refused: $bad" lx import -n bad "$SRC/oci/bad-$bad"
done

# Hostile
for c in web web2 shop shop2 shifted 117 vz2 seven plain below piped sys; do
	lx destroy -q -f "$c" >/dev/null 2>&1
done
is '' 'so far nothing is left' left
H=$SRC/evil
mkdir -p "$H/a" "$H/b/rootfs" "$H/c" "$H/d"
echo 'lxc.rootfs.path = dir:/' | tee "$H/a/config" >"$H/c/config"
ln -s / "$H/a/rootfs"
says "'rootfs' is a link" 'lxc: a root that is a link' lx import "$H/a"
echo x >"$H/b/rootfs/x"
ln -s /etc/shadow "$H/b/config"
status 6 'lxc: a config that is a link' lx import "$H/b"
status 1 'lxc: a config that names the host for its root' lx import "$H/c"
mkfifo "$H/d/config"
mkdir -p "$H/d/rootfs/x"
status 6 'lxc: a config that is a pipe' timeout 20 lxmgr-import -P "$TREE" --format lxc "$H/d"
mkdir -p "$H/201/etc"
ln -s /etc/shadow "$H/201.conf"
status 6 'openvz: a config that is a link' lx import "$H/201"

python3 - "$H" <<'EOT'
import io, sys, tarfile
H = sys.argv[1]
CONF = b"arch: amd64\nhostname: evil\nunprivileged: 1\n"
def tar(name, *entries):
    with tarfile.open(H + "/" + name, "w") as t:
        for path, kind, data, kw in entries:
            i = tarfile.TarInfo(path)
            i.type, i.mode = kind, 0o755
            if kind == tarfile.REGTYPE:
                i.size = len(data)
            elif kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                i.linkname = data
            for k, v in kw.items():
                setattr(i, k, v)
            t.addfile(i, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
F, D, S, L = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
def f(p, data=b"x", **kw): return (p, F, data, kw)
def d(p, **kw): return (p, D, None, kw)
P = "./etc/vzdump/pct.conf"
base = (f(P, CONF), d("./"), d("./etc"), d("./usr"))
tar("dotdot.tar", *base, f("./../../escaped"))
tar("absolute.tar", *base, f("/tmp/lxmgr-escaped"))
tar("through.tar", *base, ("./out", S, "/tmp", {}), f("./out/lxmgr-escaped"))
tar("hardlink.tar", *base, ("./passwd", L, "../../../etc/passwd", {}))
tar("ids.tar", *base, f("./file", uid=4000000, gid=0))
tar("conf-link.tar", (P, S, "/etc/shadow", {}), d("./"), d("./etc"))
tar("conf-dir.tar", d(P), d("./"), d("./etc"))
tar("conf-big.tar", f(P, b"#" * (3 << 20)), d("./"), d("./etc"))
tar("conf-nul.tar", f(P, b"arch: amd64\0\n"), d("./"), d("./etc"))
tar("root-file.tar", f(P, CONF), f("./", b""))
tar("deep.tar", *base, f("./" + "d/" * 101 + "x"))
tar("entries.tar", *base, *[f("./%d" % n) for n in range(60)])
tar("empty.tar", d("./"), d("./etc"), d("./usr"))
tar("without.tar", f(P, CONF))
tar("orphans.tar", f("etc/deep/er/file"), f("usr/bin/tool", uid=7, gid=8), d("etc", uid=0), ("lib", S, "usr/lib", {}), f("usr/lib/x"),
    f("usr/share/a/b"), ("usr/share/a/c", S, "b", {}))
tar("zeros.tar", *base, f("./zeros", bytes(80 << 20)))
EOT
zstd -q --rm "$H/zeros.tar" && mv "$H/zeros.tar.zst" "$H/zeros.tar"
says 'bomb' 'vzdump: a bomb' lx import -n bad "$H/zeros.tar"
ok 'vzdump: so large as was said' lx import -q -n bad --max-size 100M "$H/zeros.tar"
lx destroy -q bad
says 'nested deeper' 'vzdump: too deep' lx import -n bad "$H/deep.tar"
says 'no root in it' 'vzdump: without a root' lx import -n bad --format vzdump "$H/without.tar"
says 'more than 50 entries' 'too many entries' bash -c "mkdir '$H/x' && cd '$H/x' && $HELPERS/lxmgr-unpack --entries=50 <'$H/entries.tar'"
says '^ok 64 ' 'not too many' bash -c "mkdir '$H/y' && cd '$H/y' && $HELPERS/lxmgr-unpack --entries=64 <'$H/entries.tar'"
ok 'tar: directories that it does not have' lx import -q -n bad "$H/orphans.tar"
is '0:0 755' 'tar: are of root, and for root to write' bash -c "cd '$TREE/bad/rootfs' && stat -c '%u:%g %a' usr usr/bin usr/share/a etc/deep etc/deep/er | sort -u"
is '7:8' 'tar: what is in them is as it was' stat -c %u:%g "$TREE/bad/rootfs/usr/bin/tool"
is 'usr/lib' 'tar: a link is' readlink "$TREE/bad/rootfs/lib"
lx destroy -q bad
for bad in dotdot absolute hardlink ids conf-link conf-big conf-nul deep zeros; do
	status 6 "vzdump: refused: $bad" lx import -n bad "$H/$bad.tar"
done
status 6 'vzdump: a config that is a directory' lx import -n bad --format vzdump "$H/conf-dir.tar"
lx import -q -n bad "$H/through.tar" >/dev/null 2>&1
lx destroy -q -f bad >/dev/null 2>&1
is '' 'nothing was written through a link' find /tmp "$SRC" "$TREE" -maxdepth 2 -name 'lxmgr-escaped' -o -maxdepth 2 -name escaped
printf '\211LZO\0\r\n\032\n\020' >"$H/vzdump-lxc-1.tar.lzo"
says 'lzop -d' 'vzdump: .lzo is refused, with the cure' lx import -n bad "$H/vzdump-lxc-1.tar.lzo"
printf 'VMA\0\0\0\0\1' >"$H/vzdump-qemu-1.vma"
says 'virtual machine' 'vzdump: a virtual machine' lx import -n bad "$H/vzdump-qemu-1.vma"
head -c 100000 "$Z.zst" >"$H/cut.tar.zst"
status 6 'vzdump: cut off' lx import -n bad --format vzdump "$H/cut.tar.zst"
says 'lxmgr, .*vzdump' 'a format that there is not' lx import --format nosuch -n bad "$Z.zst"
# Directories: what ends it is what is said.
mkdir -p "$H/big/rootfs/etc"
echo 'lxc.uts.name = big' >"$H/big/config"
head -c 3000000 /dev/urandom >"$H/big/rootfs/data"
says 'more than the limit of 1048576 bytes' 'lxc: more than it may be' lx import -n bad --max-size 1M "$H/big"
status 6 'lxc: that is refused' lx import -n bad --max-size 1M "$H/big"
status 64 'no size at all' lx import -n bad --max-size 0 "$H/big"
mkdir "$SRC/full"
mount -t tmpfs -o size=2m,mode=711 lxmgr-test "$SRC/full"
says 'No space left' 'lxc: a full disk is said' lxmgr-import -P "$SRC/full" -n bad "$H/big"
tar -C "$H/big/rootfs" -cf "$H/big.tar" data etc
says 'No space left' 'tar: a full disk is said' lxmgr-import -P "$SRC/full" -n bad "$H/big.tar"
is '' 'nothing of it stays' find "$SRC/full" -mindepth 1 -maxdepth 1 -name '*bad*'
umount "$SRC/full"
printf 'lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n' >>"$H/big/config"
mknod "$H/big/rootfs/disk" b 8 0
says "left out, as 'disk'" 'lxc: a device is left out, and that is said' lx import -n bad "$H/big"
lx destroy -q bad
says 'are nobody.s' 'lxc: owners that the container does not have are said' lx import -n bad "$H/big"
is 65534 'lxc: they are nobody' stat -c %u "$TREE/bad/rootfs/data"
lx destroy -q bad
is '' 'what was refused leaves nothing' left
lx destroy -q -f seed
finish

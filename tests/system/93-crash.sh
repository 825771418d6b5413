# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034,SC2086,SC2317,SC2329
# Each verb is killed at its changing calls, or has them fail (crash.c). After that the container is as it
# was or as asked, what it came from is the same byte for byte, the same command works, and then nothing is
# left. LXMGR_TEST_CRASH: all places (`make check-crash`), or so many of each verb; otherwise a few.
# LXMGR_TEST_VERBS: a pattern for the verbs to do. LXMGR_TEST_CLAIMS: a directory in which those that others
# do are marked. LXMGR_TEST_VERBOSE: what is wrong is told at once.
# In machines: check-vm-full.
. ./lib.sh
need getfattr jq zstd python3 gpg gpgv curl losetup

# Ids, addresses and images of the test's own, so that all that is left can be seen.
mkdir -p "$VAR/lib/lxmgr"
SITE_HAS=few
. ./images.sh
TOP=$TREE
ok 'crash builds' gcc -O1 -Wall -o "$TREE/.crash" crash.c
mkdir -m 0711 "$TREE/.crash-state"
mount --bind "$TREE/.crash-state" "$VAR/lib/lxmgr"
mkdir "$VAR/cache/lxmgr"/{remotes,downloads}
mkdir -p "$ETC/lxmgr/plans"
mount -t tmpfs -o mode=0755 tmpfs "$ETC/lxmgr/plans"
echo 'lxmgr.limit.pids = 99' >"$ETC/lxmgr/plans/crash-test.conf"
ROOTS=$TREE-roots
mkdir -m 0700 "$ROOTS"
BEFORE=$(host_state)
SETTLE=settle VG=''
MODES=(all tool one ENOSPC EIO full)
PLACES=${LXMGR_TEST_CRASH:-6}

# A template of the test's own, for an image that can be made anew each time. Nothing in it is run; what
# takes few calls has each of them in the sweep, not hundreds of the same kind.
TEMPLATE=$TREE/.template
cat >"$TEMPLATE" <<'END'
#!/bin/sh
set -eu
for a; do case $a in --rootfs=*) root=${a#*=} ;; esac; done
cd "$root"
mkdir -p bin dev etc proc root sbin sys tmp
head -c 150000 "$(command -v busybox)" >bin/busybox
chmod 755 bin/busybox
ln -s ../bin/busybox sbin/init
echo root:x:0:0:root:/root:/bin/sh >etc/passwd
END
chmod 755 "$TEMPLATE"

# What a root holds, but what each container has of its own; with TIMES, when that was written, too.
sum_dir() {
	(cd "$1" 2>/dev/null || exit 1
	set -- \( -name machine-id -o -name hostname -o -name hosts \) -prune
	find . "$@" -o -type d -printf '%p d %m %U %G\n' -o -printf "%p %y %m %U %G %n %s %l${TIMES:+ %T@}\n" | sort
	find . "$@" -o -type f -printf '%i %p\n' | sort -u -k 1,1 | cut -d' ' -f2- | sort | xargs -r -d '\n' md5sum
	getfattr -R -h -d -m '^user' . 2>/dev/null) | md5sum
}
# NAME, or NAME/SNAPSHOT whose parts are summed up. What lies in its own directory alone is looked at
# there, layers as they are mounted.
sum() {
	local dir layer
	case $1 in
	*/*)
		for layer in $(sed -n 's/^layer = //p' "$TREE/${1%/*}/snapshots/${1#*/}/storage"); do
			sum_dir "$TREE/.layers/$layer/rootfs"
		done
		[ ! -d "$TREE/${1%/*}/snapshots/${1#*/}/rootfs" ] || sum_dir "$TREE/${1%/*}/snapshots/${1#*/}/rootfs"
		[ ! -e "$TREE/${1%/*}/snapshots/${1#*/}/rootfs.img" ] || md5sum <"$TREE/${1%/*}/snapshots/${1#*/}/rootfs.img"
		;;
	.*) sum_dir "$TOP/$1" ;;
	*)
		if [[ $1 == [ef] ]] || grep -q '^layer\|^backend = \(loop\|btrfs\|lvm\)' "$TREE/$1/storage"; then
			dir=$(lx mount -r "$1") || return 1
			sum_dir "$dir"
			lx umount -q "$1"
		elif grep -q '^dir = ' "$TREE/$1/storage"; then
			sum_dir "$ROOTS/$1"
		elif [ -d "$TREE/$1/rootfs" ]; then
			sum_dir "$TREE/$1/rootfs"
		else
			sum_dir "$TREE/$1/overlay/upper"
		fi
		;;
	esac
}
writes() { # writes NAME TEXT: as its root's /f
	local dir
	dir=$(lx mount "$1") || return 1
	echo "$2" >"$dir/f"
	touch -d @1700000000 "$dir/f"
	lx umount -q "$1"
}
reads() { [ "$(lx pull "$1" /f - 2>/dev/null)" = "$2" ]; } # reads NAME TEXT
absent() { [ ! -e "$TREE/$1" ] && ! lx info "$1" >/dev/null 2>&1; }
# The first time, in the trial run, what it is then is what it has to be.
whole() {
	local is
	[ "$(lx info -s -H "$1")" = STOPPED ] && is=$(sum "$1") && [ "$is" = "${WANT:=$is}" ]
}
there() { [ -e "$TREE/$1" ]; }
drop() { ! there "$1" || lx destroy -q -f -s "$1"; }
have() { there "$1" || busybox "$@"; }
# Anew each time: with snapshots of a running one alone it has no layers yet, nor a tree of another name.
ran() {
	drop "$1" && busybox "$1" && lx start "$1" && lx attach "$1" -- sh -c 'echo then >/f' && lx snapshot -q "$1" old &&
		lx attach "$1" -- sh -c 'echo now >/f' && lx stop -k "$1"
}
has_snap() { [[ $(lx snapshot -L --json "$1") == *"\"name\": \"$2\""* ]]; }
no_snap() { ! has_snap "$@"; }
drop_snap() { no_snap "$@" || lx snapshot -q "$1" -d "$2"; }
# Whoever was killed may leave it frozen; then what goes in thaws it.
lively() { [ "$(lx info -s -H "$1")" = RUNNING ] && awake "$1"; }
awake() { timeout 60 lxmgr-attach -P "$TREE" "$1" -- true; }
frozen() { [ "$(lx info -s -H "$1")" = FROZEN ]; }
# The monitor of a start goes on by itself.
rests() { lx wait -s 'RUNNING|STOPPED' -t 60 "$1" && [ "$(lx info -s -H "$1")" = STOPPED ]; }
runs() { lx wait -s 'RUNNING|STOPPED' -t 60 "$1" && lively "$1"; }
# Ephemeral ones have names that are made up. One that was killed is found stopped, as is one that nothing can
# be written to destroy.
copies() { lx ls -1 | grep "^$1-"; }
no_copy() { # no_copy NAME HOW
	local c
	c=$(copies "$1")
	[ -z "$c" ] || { { [[ $2 == @(all|tool|one|full) ]] || monitor_alone "${victim:-}"; } && [ "$(lx info -s -H "$c")" = STOPPED ]; }
}
copy_runs() {
	local c
	for c in $(copies "$1"); do
		! runs "$c" || return 0
	done
	return 1
}
drop_copies() {
	local c
	for c in $(copies "$1"); do drop "$c"; done
}
has_limit() { grep -q '^lxmgr.limit.pids = 99$' "$TREE/$1/config"; }
holds() { # holds NAME SIZE: its file system, and what is known of it, MiB
	local dir size
	dir=$(lx mount -r "$1") || return 1
	size=$(df -m --output=size "$dir" | tail -n 1)
	lx umount -q "$1"
	[ "$size" -gt $(($2 * 2 / 3)) ] && [ "$size" -le "$2" ] && [ "$(lx disk "$1" --json | jq .limit)" = $(($2 << 20)) ]
}
points() { [ "$(lx export --list="$1" --json 2>/dev/null | jq length)" = "$2" ]; } # points DIR N
mounted() { [[ $(lx mount --json) == *"\"name\": \"$1\""* ]]; }
unmounted() { ! mounted "$1"; }
has_image() { lxmgr-image show "$1" >/dev/null 2>&1; }
no_image() { ! has_image "$1"; }
image_is() { [ "$(lxmgr-image show --json "$1" | jq -r .digest)" = "$2" ]; }
back_to() { # back_to DIGEST: as it was before there was a newer one
	sed -i "s/^base = .*/base = $1/" "$CACHE/names" && lxmgr-image -q prune >/dev/null
	rm -f "${CACHE%/*}/downloads"/*
}
no_points() { ! grep -qs '^part' "$TREE/.points/points"; }
has_point() {
	grep -qs ' point$' "$TREE/.points/points" && [[ $(lx export --json --list "$TREE/.points") != *'"missing": "'* ]]
}
publish() { has_image "$1" || lxmgr-image -q -P "$TREE" publish d --as "$1" >/dev/null; }

# NAME|COMMAND|SOURCE|AS IT WAS|AS ASKED|BACK TO BEFORE: a verb, the container or snapshot that it must not
# change, and its tests.
verbs() {
	cat <<'END'
create|lxmgr-create -q -t busybox -n x|d|absent x|whole x|drop x
create, loop|lxmgr-create -q -t $TEMPLATE -B loop --fssize 16M -n x|d|absent x|there x && writes x once && reads x once|drop x
create, dir|lxmgr-create -q -t $TEMPLATE -B dir -n x|d|absent x|whole x|drop x
create, --dir|lxmgr-create -q -t $TEMPLATE --dir $ROOTS/x -n x|d|absent x|whole x|drop x
destroy, --dir|lxmgr-destroy -q x|d|whole x|absent x|there x || lx create -q -t "$TEMPLATE" --dir "$ROOTS/x" -n x
create with its image|lxmgr-create -q -t $TEMPLATE -n x -- --again|d|absent x|whole x|drop x; lxmgr-image -q prune >/dev/null
destroy|lxmgr-destroy -q x|d|whole x|absent x|have x
destroy with snapshots|lxmgr-destroy -q -s x|s|there x|absent x|have x; has_snap x s || lx snapshot -q x s
destroy of one that runs|lxmgr-destroy -q -f x|d|there x|absent x|have x; lively x >/dev/null 2>&1 || lx start x
copy|lxmgr-copy -q a x|a|absent x|whole x|drop x
copy, dir|lxmgr-copy -q d x|d|absent x|whole x|drop x
copy of one with layers|lxmgr-copy -q s x|s|absent x|whole x|drop x
copy -s|lxmgr-copy -q -s f x|f|absent x|whole x|drop x; drop f; lx copy -q a f
copy -s of one with layers|lxmgr-copy -q -s s x|s|absent x|whole x|drop x
copy to overlay|lxmgr-copy -q -B overlay d x|d|absent x|whole x|drop x
copy -s to overlay|lxmgr-copy -q -s -B overlay e x|e|absent x|whole x|drop x; drop e; lx copy -q d e
copy of one that runs|lxmgr-copy -q l x|d|absent x && lively l|there x && lively l|drop x
copy -s of one that runs|lxmgr-copy -q -s l x|d|absent x && lively l|there x && lively l|drop x
snapshot|lxmgr-snapshot -q k s|k|no_snap k s|has_snap k s|drop_snap k s; writes k now
snapshot, dir|lxmgr-snapshot -q j s|j|no_snap j s|has_snap j s|drop_snap j s
snapshot of one that runs|lxmgr-snapshot -q l s|d|no_snap l s && lively l|has_snap l s && lively l|drop_snap l s
snapshot -r|lxmgr-snapshot -q k -r old|k/old|reads k now|reads k then|writes k now
snapshot -r, dir|lxmgr-snapshot -q j -r old|j/old|reads j now|reads j then|writes j now
snapshot -r of one that ran|lxmgr-snapshot -q w -r old|d|reads w now|reads w then|ran w
snapshot -r -N|lxmgr-snapshot -q k -r old -N x|k|absent x|there x && reads x then|drop x
snapshot -d|lxmgr-snapshot -q k -d t|k/old|has_snap k t|no_snap k t|has_snap k t || { writes k third && lx snapshot -q k t; }; writes k now
rename|lxmgr-copy -q -R r x|d|absent x && reads r lived|absent r && reads x lived|there r || lx copy -q -R x r
reinstall|lxmgr-reinstall -q r|d|reads r lived|there r && ! reads r lived|writes r lived
reinstall --keep-old|lxmgr-reinstall -q --keep-old h|d|reads h lived|grep -q lived $TREE/h/overlay/upper/old/f|lx reinstall -q h; writes h lived
reinstall with snapshots|lxmgr-reinstall -q g|g/old|reads g lived && has_snap g old|there g && ! reads g lived && has_snap g old|writes g lived
start|lxmgr-start z|d|rests z|runs z|rests z || lx stop -k z
stop|lxmgr-stop z|d|runs z|rests z|runs z || lx start z
stop -k|lxmgr-stop -k z|d|runs z|rests z|runs z || lx start z
copy -e|lxmgr-copy -q -e z|d|no_copy z "${1:-}" && rests z|copy_runs z && rests z|rests z || lx stop -k z; drop_copies z
create of an image|lxmgr-create -q --image base -n x|d|absent x|whole x|drop x
set|lxmgr-set -q d --pids 99|a|! has_limit d|has_limit d|! has_limit d || lx config -n d lxmgr.limit.pids=
set of one that runs|lxmgr-set -q l --pids 99|d|lively l && ! has_limit l|lively l && has_limit l && [ "$(lx cgroup l pids.max)" = 99 ]|! has_limit l || lx set -q l --pids ''
plan apply|lxmgr-plan -q apply crash-test d|a|! grep -q crash-test $TREE/d/config|has_limit d && grep -q crash-test $TREE/d/config|lx config -n d lxmgr.plan=; lx config -n d lxmgr.limit.pids=
freeze|lxmgr-freeze l|d|awake l|frozen l|lx unfreeze l
unfreeze|lxmgr-unfreeze l|d|frozen l|awake l|frozen l || lx freeze l
config|lxmgr-config -n d lxmgr.limit.pids=99|a|! has_limit d|has_limit d|! has_limit d || lx config -n d lxmgr.limit.pids=
push|lxmgr-push d lib.sh /pushed|a|[ ! -e $TREE/d/rootfs/pushed ]|cmp lib.sh $TREE/d/rootfs/pushed|rm -f $TREE/d/rootfs/pushed
pull|lxmgr-pull d /f $TREE/.pulled|d|[ ! -e $TREE/.pulled ]|cmp $TREE/d/rootfs/f $TREE/.pulled|rm -f $TREE/.pulled
mount|lxmgr-mount -q a|a|unmounted a|mounted a|unmounted a || lx umount -q a
umount|lxmgr-umount -q a|a|mounted a|unmounted a|mounted a || lx mount -q a >/dev/null
image publish|lxmgr-image -q publish d --as spare|d|no_image spare|has_image spare|no_image spare || lxmgr-image -q delete spare
image delete|lxmgr-image -q delete spare|d|has_image spare|no_image spare|publish spare
import|lxmgr-import -q $TREE/.root.tar -n x|d|absent x|whole x|drop x
import of an export|lxmgr-import -q $TREE/.export.tar.zst -n x|d|absent x|whole x|drop x
import of LXC|lxmgr-import -q $TOP/.crash-from/lxc/web -n x|.crash-from|absent x|whole x|drop x
import of OpenVZ|lxmgr-import -q $TOP/.crash-from/vz/117 -n x|.crash-from|absent x|whole x|drop x
import of vzdump|lxmgr-import -q $TOP/.crash-from/dump.tar.zst -n x|.crash-from|absent x|whole x|drop x
import of OCI|lxmgr-import -q $TOP/.crash-from/sys -n x|.crash-from|absent x|whole x|drop x
image fetch|lxmgr-image -q fetch $REMOTE:debian/12 --as got|d|no_image got|lxmgr-image -q verify got|no_image got || lxmgr-image -q delete got; rm -f ${CACHE%/*}/downloads/*
image refresh|lxmgr-image -q refresh base|d|image_is base $OLD|! image_is base $OLD && lxmgr-image -q verify base|back_to $OLD
image import|lxmgr-image -q import $TOP/.root.tar --as brought|d|no_image brought|lxmgr-image -q verify brought|no_image brought || lxmgr-image -q delete brought
image prune|lxmgr-image -q prune --all|d|has_image spare|no_image spare|publish spare
runscript|lxmgr-runscript r $TOP/.crash-from/script|d|whole r && ! at_root r test -e made|at_root r test -e made|! at_root r test -e made || at_root r rmdir made
rename, loop with snapshots|lxmgr-copy -q -R p x|d|absent x && reads p now && has_snap p old|absent p && reads x now && has_snap x old|there p || lx copy -q -R x p
copy, loop|lxmgr-copy -q o x|o|absent x|whole x|drop x
snapshot, loop|lxmgr-snapshot -q o s|o|no_snap o s|has_snap o s|drop_snap o s
snapshot -r, loop|lxmgr-snapshot -q p -r old|p/old|reads p now|reads p then|writes p now
disk grows, loop|lxmgr-disk o --resize 48M|d|holds o 32 && reads o here|holds o 48 && reads o here|holds o 32 || lx disk o --resize 32M
disk shrinks, loop|lxmgr-disk x --resize 24M|d|holds x 32 && reads x now|holds x 24 && reads x now|drop x; busybox x -B loop -s lxmgr.limit.disk=32M && writes x now
disk grows, xfs|lxmgr-disk x --resize 340M|d|lx start x && lx stop -k x && reads x now|holds x 340 && reads x now|drop x; busybox x -B loop --fstype xfs -s lxmgr.limit.disk=320M && writes x now
disk --compact, loop|lxmgr-disk o --compact|d|reads o here|reads o here|reads o here
destroy, loop|lxmgr-destroy -q x|o|whole x|absent x|have x -B loop --fssize 32M
setup|lxmgr-setup d --nameserver=192.0.2.1|a|true|grep -q 192.0.2.1 $TREE/d/rootfs/etc/resolv.conf|rm -f $TREE/d/rootfs/etc/resolv.conf
backup|lxmgr-export -q d --incremental $TREE/.backups|d|points $TREE/.backups 1|points $TREE/.backups 2|rm -rf $TREE/.backups; cp -a $TREE/.backup1 $TREE/.backups
import -B loop|lxmgr-import -q -B loop --fssize 16M $TREE/.root.tar -n x|d|absent x|there x && writes x once && reads x once|drop x
export --incremental|lxmgr-export -q d --incremental $TREE/.points|d|no_points|has_point|rm -rf $TREE/.points
export|lxmgr-export -q d $TREE/.out.tar.zst|d|[ ! -e $TREE/.out.tar.zst ]|zstd -qt $TREE/.out.tar.zst|rm -f $TREE/.out.tar.zst
export of one that runs|lxmgr-export -q l $TREE/.out.tar.zst|d|[ ! -e $TREE/.out.tar.zst ] && lively l|zstd -qt $TREE/.out.tar.zst && lively l|rm -f $TREE/.out.tar.zst; lively l || lx unfreeze l
END
}

# The same where the directory of containers is one of btrfs.
verbs_btrfs() {
	cat <<'END'
create, btrfs|lxmgr-create -q -t busybox -B btrfs -n x|a|absent x|whole x|drop x
copy, btrfs|lxmgr-copy -q a x|a|absent x|whole x|drop x
copy -s, btrfs|lxmgr-copy -q -s a x|a|absent x|whole x|drop x
snapshot, btrfs|lxmgr-snapshot -q k s|k|no_snap k s|has_snap k s|drop_snap k s
snapshot -r, btrfs|lxmgr-snapshot -q k -r old|k/old|reads k now|reads k then|writes k now
snapshot -r -N, btrfs|lxmgr-snapshot -q k -r old -N x|k|absent x|there x && reads x then|drop x
snapshot -d, btrfs|lxmgr-snapshot -q k -d t|k/old|has_snap k t|no_snap k t|has_snap k t || lx snapshot -q k t
destroy, btrfs|lxmgr-destroy -q x|a|whole x|absent x|have x -B btrfs
destroy with snapshots, btrfs|lxmgr-destroy -q -s x|a|there x|absent x|have x -B btrfs; has_snap x s || lx snapshot -q x s
rename, btrfs|lxmgr-copy -q -R r x|a|absent x && reads r lived|absent r && reads x lived|there r || lx copy -q -R x r
reinstall, btrfs|lxmgr-reinstall -q r|a|reads r lived|there r && ! reads r lived|writes r lived
import -B btrfs|lxmgr-import -q -B btrfs $TOP/.root.tar -n x|a|absent x|whole x|drop x
END
}

# The same in a group of volumes, which a machine has.
verbs_lvm() {
	cat <<'END'
create, lvm|lxmgr-create -q -t $TEMPLATE -B lvm --fssize 32M -n x|a|absent x|whole x|drop x
copy, lvm|lxmgr-copy -q a x|a|absent x|whole x|drop x
copy -s, lvm|lxmgr-copy -q -s a x|a|absent x|whole x|drop x
snapshot, lvm|lxmgr-snapshot -q k s|a|no_snap k s|has_snap k s|drop_snap k s
snapshot -r, lvm|lxmgr-snapshot -q k -r old|a|reads k now|reads k then|writes k now
destroy, lvm|lxmgr-destroy -q x|a|whole x|absent x|there x || lx create -q -t "$TEMPLATE" -B lvm --fssize 32M -n x
END
}

# What there is before any of them.
settle() {
	local c
	for c in a k l r z; do busybox "$c" || return 1; done
	for c in o p; do busybox $c -B loop --fssize 32M || return 1; done
	for c in d j; do lx create -q -t "$TEMPLATE" -B dir -n $c || return 1; done
	live_in "$TREE/a/overlay/upper"
	live_in "$TREE/d/rootfs"
	lx copy -q a s && lx copy -q -s s s0 && lx destroy -q s0 && lx copy -q a f && lx copy -q d e || return 1
	writes o here
	for c in k j p; do
		writes $c 'then' && lx snapshot -q $c old && writes $c third && lx snapshot -q $c t && writes $c now || return 1
	done
	lx create -q -t "$TEMPLATE" -B dir -n g && writes g lived && lx snapshot -q g old || return 1
	lx create -q -t "$TEMPLATE" -n h && writes h lived || return 1
	writes r lived && lx start l || return 1
	tar -C "$TREE/d/rootfs" --xattrs -cf "$TREE/.root.tar" . || return 1
	lx export -q d "$TREE/.export.tar.zst" || return 1
	rm -rf "$TREE"/.backup*
	lx export -q d --incremental "$TREE/.backup1" || return 1
	know_hash
}
# The names of its locks and mounts end in that of the directory of containers.
know_hash() { HASH=$(lx mount -r a) && HASH=${HASH##*-} && lx umount -q a && [ -n "$HASH" ]; }
# What copies often lose.
live_in() {
	mkdir -p "$1/data/sub"
	echo here >"$1/f"
	echo one >"$1/data/a"
	ln "$1/data/a" "$1/data/b"
	ln -s a "$1/data/l"
	dd if=/dev/zero of="$1/data/hole" bs=1 count=1 seek=1000000 2>/dev/null
	chown 7:8 "$1/data/sub"
	chmod 4711 "$1/data/b"
	setfattr -n user.x -v y "$1/data/a"
}
# What other managers left, and a remote with an image of which there is a newer version.
others() {
	local from=$TOP/.crash-from port=$TOP/.crash-port root
	mkdir -p "$from"/{lxc/web,vz,etc/vzdump}
	for root in lxc/web/rootfs vz/117 root; do cp -a "$TREE/d/rootfs" "$from/$root" || return 1; done
	printf '%s\n' 'lxc.uts.name = shop' "lxc.rootfs.path = dir:$from/lxc/web/rootfs" 'lxc.cgroup2.pids.max = 123' >"$from/lxc/web/config"
	printf '%s\n' 'NUMPROC="150:150"' 'HOSTNAME="vps17.example.com"' >"$from/vz/117.conf"
	printf '%s\n' 'arch: amd64' 'hostname: shop' 'unprivileged: 1' >"$from/etc/vzdump/pct.conf"
	tar -C "$from" --zstd --numeric-owner -cf "$from/dump.tar.zst" ./etc/vzdump/pct.conf -C "$from/root" . || return 1
	mkdir "$from/oci" && python3 ./oci-site.py make "$from/oci" "$TREE/d/rootfs/bin/busybox" >/dev/null || return 1
	mv "$from/oci/sys" "$from" && rm -r "$from/oci"

	echo 'mkdir /made' >"$from/script"
	genkey good
	sign good
	python3 ./image-site.py serve "$SITE" "$port" >/dev/null 2>&1 &
	SERVER=$!
	eventually test -s "$port" || return 1
	printf '%s\n' "url = http://127.0.0.1:$(cat "$port")/" "keyring = $KEYS/good.gpg" >"$ETC/lxmgr/remotes/$REMOTE.conf"
	lxmgr-image -q fetch "$REMOTE:debian/12" --as base && OLD=$(lxmgr-image show --json base | jq -r .digest) || return 1
	python3 ./image-site.py newer "$SITE"
	sign good
}
# After a failure: all anew, so that the next ones are not judged by it.
afresh() {
	local c
	for c in $(lx ls -1); do lx destroy -q -f -s "$c"; done
	awk -v t="$TREE/" -v h="$HASH" 'index($5, t) || index($5, h) { print $5 }' /proc/self/mountinfo |
		xargs -r -n 1 umount -l
	rm -rf --one-file-system "${TREE:?}"/[a-z]* "$TREE"/.export* "$TREE"/.[a-z]*.{new,dead}-* "$TREE/.layers"
	rm -f "$VAR/lib/lxmgr"/{idmap,leases,mcs}
	rm -rf --one-file-system "${ROOTS:?}"/x "$ROOTS"/.lxmgr-*
	$SETTLE
} >/dev/null 2>&1

# What there is beside what the containers hold. Names lose what differs each time. A file's new version has
# one name, that the next one overwrites.
listing() {
	local l
	{
		find "$TREE" -mindepth 1 -maxdepth 4 \( -name rootfs -o -name 'rootfs.[0-9]*' -o -name upper -o -name work -o -path "$TREE/.crash*" -o -path "$TREE/.cache" -o -path "$SITE" -o -path "$KEYS" \) \
			-printf '%P\n' -prune -o -printf '%P\n' | sed 's/^/tree: /'
		find "$ROOTS" -mindepth 1 -maxdepth 1 -printf 'root: %f\n'
		for l in "$TREE"/.layers/*; do
			[ ! -d "$l" ] || grep -qr "^layer = ${l##*/}" --include=storage "$TREE" || echo "layer that nobody needs"
		done
		find "$VAR/lib/lxmgr" "$CACHE" "${CACHE%/*}/downloads" -mindepth 1 -maxdepth 1 ! -name '.*.lock' -printf 'state: %f\n'
		for l in idmap leases mcs trees; do
			[ ! -e "$VAR/lib/lxmgr/$l" ] || awk -v f=$l '{ print f ": " $NF }' "$VAR/lib/lxmgr/$l"
		done
		awk -v t="$TREE/" -v h="$HASH" 'index($5, t) || index($5, h) { print "mount: " $5 }' /proc/self/mountinfo
		find "$RUN" -name "*$HASH*" 2>/dev/null
		find /sys/fs/cgroup -mindepth 2 -type d -name "*$HASH*" 2>/dev/null
		[ -z "$VG" ] || lvs --noheadings -o lv_name "$VG" | sed -E 's/ +//g; s/-[0-9a-f]{8}(\.|$)/-DIGITS\1/; s/^/volume: /'
	} | grep -v '/lock$\|/\.[^/]*\.tmp$' | sed -E 's,/[0-9a-f]{16}(/|$),/ID\1,; s,/overlay(\.[0-9]+)?,/overlay,; s,/rootfs(\.[0-9]+)?(\.img)?$,/rootfs\2,; s,[0-9a-f]{64},DIGEST,; s,[0-9]{8}T[0-9]{6}Z,TIME,' | sort -u
}

left() {
	OUT=$(diff <(printf '%s\n' "$LISTING") <(listing) | grep '^[<>]' | head -n 5 | tr '\n' ' ')
	[ -z "$OUT" ]
}

# It writes the console's output and looks after addresses when the start is done.
monitor_alone() { [[ $1 == *'lxmgr-supervise['*@(' write /var/log/lxmgr/'|' setns ')* ]]; }
# One injection into the verb whose parts are in COMMAND and so on. Prints what is wrong with its outcome.
# A shell does not tell why it cannot fork, dash not why it cannot write, and resize2fs and e2fsck not why they
# cannot go on.
judge() { # judge MODE N
	local rc why='' cause='' how=("${STAYS[@]}" -n "$2") victim after=1
	case $1 in
	all | tool | one) how+=(-k "$1") ;;
	full) how+=(-e "$1") cause="No space left|Cannot fork|echo: I/O error|(e2fsck|resize2fs) ended with" ;;
	ENOSPC) how+=(-e "$1") cause='No space left|Cannot fork|echo: I/O error|Fail(ed|ure) writing|(e2fsck|resize2fs) ended with' ;;
	# curl does not tell why it cannot write; of a disk that is full lxmgr finds it out.
	EIO) how+=(-e "$1") cause='Input/output error|Cannot fork|echo: I/O error|Fail(ed|ure) writing|(e2fsck|resize2fs) ended with' ;;
	esac
	OUT=$(timeout 300 "$TOP/.crash" -o "$TOP/.crash.report" "${how[@]}" $COMMAND 2>&1 </dev/null)
	rc=$?
	victim=$(head -n 1 "$TOP/.crash.report")
	[ -n "$victim" ] || return
	grep -q ^left "$TOP/.crash.report" && why+=' leaves a process;'
	# Its own failures, before there is a script that could end with a status.
	[[ $rc != 125 || $COMMAND != lxmgr-runscript* ]] || rc=1
	case $1:$rc in
	all:137 | tool:137 | *:0) ;;
	# A script's status is its own, also the one of what it ran.
	one:137) [[ $victim == *"[tool] "* || $COMMAND == lxmgr-runscript* ]] || why+=' dies of a child that was killed;' ;;
	*:124 | *:12[5-7] | *:1[3-9]? | all:* | tool:*) why+=" ends with status $rc;" ;;
	one:*) [ -n "$OUT" ] || why+=' says nothing;' ;;
	# A monitor that has no way back from a container's network ends on the spot.
	*:*) [[ $victim == *' setns '* && $OUT == *'the monitor ended'* ]] || printf '%s\n' "$OUT" | grep -qE "$cause" || why+=" does not tell '$cause' but '$OUT';" ;;
	esac
	lx ls -1 >/dev/null 2>&1 || why+=' then ls fails;'
	eval "$AFTER" >/dev/null 2>&1 && after=0
	[ $after = 0 ] || OUT=$(eval "$WAS" 2>&1) || why+=" neither as it was nor as asked: $OUT;"
	# It was done, and then its monitor was killed, or had no way back from the container's network.
	! monitor_alone "$victim" || [ $after = 0 ] || rc=1
	[ $rc != 0 ] || [ $after = 0 ] || why+=' says it is done and it is not;'
	[ "$(TIMES=1 sum "$SOURCE" 2>&1)" = "$SOURCE_SUM" ] || why+=" '$SOURCE' is not what it was;"
	if [ $after != 0 ]; then
		OUT=$($COMMAND 2>&1 </dev/null) || why+=" again it fails: $OUT;"
		eval "$AFTER" >/dev/null 2>&1 || why+=' again it is not as asked;'
	fi
	OUT=$(eval "$RESET" 2>&1) || why+=" what follows fails: $OUT;"
	eval "$WAS" >/dev/null 2>&1 || why+=' there is no way back;'
	left || { $COMMAND && eval "$RESET" && left; } >/dev/null 2>&1 </dev/null
	[ -z "$OUT" ] || why+=" is not cleaned by what follows: $OUT;"
	[ -z "$why" ] || printf '%s\n' "$1 at $victim:$why"
}

# What is to be found, by a run that nothing happens to: of containers that were made anew.
again_once() {
	WANT=''
	eval "$RESET"
	$COMMAND
	eval "$AFTER"
	eval "$RESET"
	eval "$WAS"
	LISTING=$(listing)
} >/dev/null 2>&1 </dev/null

# The numbers I * STEP of all pairs of a place and a mode, so that few take something of each.
sweep() { # sweep NAME
	local n calls pairs step bad='' one tried=0 made
	WANT=''
	eval "$RESET" >/dev/null 2>&1
	ok "$1: a trial run" "$TOP/.crash" "${STAYS[@]}" -o "$TOP/.crash.report" $COMMAND
	mapfile -t made <"$TOP/.crash.report"
	calls=${#made[@]}
	eval "$AFTER" >/dev/null 2>&1
	result $? "$1: is done"
	eval "$RESET" >/dev/null 2>&1
	eval "$WAS" >/dev/null 2>&1
	result $? "$1: and undone"
	LISTING=$(listing)
	SOURCE_SUM=$(TIMES=1 sum "$SOURCE" 2>&1)
	pairs=$((calls * ${#MODES[@]}))
	step=1
	[ "$PLACES" = all ] || step=$((pairs / PLACES))
	[ "$step" -ge 1 ] || step=1
	while [ "$step" -gt 1 ] && { [ $((step % 2)) = 0 ] || [ $((step % 3)) = 0 ]; }; do step=$((step + 1)); done
	for n in $(places $(seq "$((step / 2))" "$step" $((pairs - 1)))); do
		# That is what killing the tool does.
		[[ ${MODES[n % ${#MODES[@]}]} != one || ${made[n / ${#MODES[@]}]} != *'[tool] '* ]] || continue
		one=$(judge "${MODES[n % ${#MODES[@]}]}" $((n / ${#MODES[@]} + 1)))
		tried=$((tried + 1))
		[ -n "$one" ] || continue
		bad+=$one$'\n'
		[ -z "${LXMGR_TEST_VERBOSE:-}" ] || echo "# $1: $one"
		afresh
		again_once
		SOURCE_SUM=$(TIMES=1 sum "$SOURCE" 2>&1)
	done
	is '' "$1: $tried faults at its $calls changing calls" printf '%s' "$bad"
	drop x
}

settle
result $? 'there is something to lose'
in_haste || { others; result $? 'and something of others'; }
trap '[ -z "${SERVER:-}" ] || kill $SERVER' EXIT
in_haste && : "${LXMGR_TEST_VERBS:=@(create|copy -s|destroy|snapshot -r)}"
shopt -s extglob
# shellcheck disable=SC2053 # it is a pattern
is_wanted() { [[ $1 == ${LXMGR_TEST_VERBS:-*} ]]; }
claim() { [ -z "${LXMGR_TEST_CLAIMS:-}" ] || mkdir "$LXMGR_TEST_CLAIMS/$1" 2>/dev/null; }
wanted() { # wanted VERBS: one of them
	local name
	while IFS='|' read -r name _; do
		! is_wanted "$name" || return 0
	done < <("$1")
	return 1
}
sweep_all() { # sweep_all VERBS
	while IFS='|' read -r name COMMAND SOURCE WAS AFTER RESET; do
		is_wanted "$name" && claim "$name" || continue
		if [ "$name" = 'disk grows, loop' ] && ! may_resize; then
			skip "$name" 'no CAP_SYS_RESOURCE on this host'
			continue
		fi
		if [ "$name" = 'disk grows, xfs' ] && ! command -v mkfs.xfs >/dev/null; then
			skip "$name" 'no mkfs.xfs on this host'
			continue
		fi
		tool=${COMMAND%% *} STAYS=()
		# What it starts is to go on.
		[[ $COMMAND != lxmgr-start* && $COMMAND != *' -e '* ]] || STAYS=(-s)
		case $tool in
		lxmgr-image) [[ $COMMAND != *publish* ]] || COMMAND="${COMMAND/lxmgr-image/lxmgr-image -P $TREE}" ;;
		*) COMMAND="${COMMAND/ / -P $TREE }" ;;
		esac
		eval "COMMAND=\"$COMMAND\""
		sweep "$name" <&-
	done < <("$1")
}
sweep_all verbs

# A disk that is full, ids, addresses and all: what destroy deletes first is the room that it needs.
if is_wanted destroy && claim 'a full disk'; then
	mkdir -m 0711 "$TREE/.crash-full"
	mount -t tmpfs -o size=8m,mode=0711 tmpfs "$TREE/.crash-full"
	mount --bind "$TREE/.crash-full" "$VAR/lib/lxmgr"
	mkdir -m 0711 "$VAR/lib/lxmgr/t"
	ok 'a container on a small disk' lxmgr-create -q -P "$VAR/lib/lxmgr/t" -t "$TEMPLATE" -B dir -n x
	dd if=/dev/zero of="$VAR/lib/lxmgr/fill" bs=4k >/dev/null 2>&1
	status 1 'which is full' lxmgr-create -q -P "$VAR/lib/lxmgr/t" -t "$TEMPLATE" -B dir -n y
	ok 'is destroyed there' lxmgr-destroy -q -P "$VAR/lib/lxmgr/t" x
	is '' 'and has nothing left' find "$VAR/lib/lxmgr/t" -mindepth 1
	is '' 'in no table, either' grep -h /t/ "$VAR/lib/lxmgr/idmap" "$VAR/lib/lxmgr/leases"
	umount "$VAR/lib/lxmgr" "$TREE/.crash-full"
fi
lx stop -q -k l

settle_btrfs() { # anew each time
	umount "$TREE" 2>/dev/null
	mkfs.btrfs -q -f "$TOP/.crash-btrfs.img" 2>/dev/null && mount -o loop "$TOP/.crash-btrfs.img" "$TREE" && chmod 711 "$TREE" || return 1
	for c in a k r; do busybox $c -B btrfs || return 1; done
	live_in "$TREE/a/rootfs"
	writes k 'then' && lx snapshot -q k old && writes k third && lx snapshot -q k t && writes k now && writes r lived && know_hash
}
if ! wanted verbs_btrfs; then
	:
elif ! command -v mkfs.btrfs >/dev/null; then
	skip 'btrfs' 'no mkfs.btrfs on this host'
elif truncate -s 1G "$TOP/.crash-btrfs.img" && TREE=$TOP/.crash-btrfs && SETTLE=settle_btrfs && mkdir "$TREE" && $SETTLE; then
	sweep_all verbs_btrfs
	for c in $(lx ls -1); do lx destroy -q -f -s "$c"; done
	umount "$TREE"
else
	skip 'btrfs' 'no btrfs in this kernel'
fi
TREE=$TOP

settle_lvm() {
	for c in a k; do lx create -q -t "$TEMPLATE" -B lvm --fssize 32M -n $c || return 1; done
	writes a here && writes k 'then' && lx snapshot -q k old && writes k now && know_hash
}
if ! wanted verbs_lvm; then
	:
elif ! : 2>/dev/null </dev/mapper/control; then
	skip 'lvm' 'no device mapper in this kernel'
else
	export LVM_SUPPRESS_FD_WARNINGS=1 # of this shell's own pipes
	VG=lxmgrcrash$$ TREE=$TOP/.crash-lvm SETTLE=settle_lvm
	mkdir "$TREE"
	truncate -s 1G "$TOP/.crash-pv"
	LOOP=$(losetup -f --show "$TOP/.crash-pv")
	vgcreate -q -y "$VG" "$LOOP" >/dev/null && lvcreate -q -y -T -L 600M "$VG/pool" >/dev/null 2>&1
	result $? 'lvm: a group with a thin pool'
	conf=$(lxmgr-config lxmgr.default_config)
	conf=${conf%/*}/lxmgr.conf
	{
		grep -v '^lxmgr.bdev.lvm' "$conf"
		printf 'lxmgr.bdev.lvm.%s\n' "vg = $VG" 'thin_pool = pool'
	} >"$TOP/.crash-conf"
	mount --bind "$TOP/.crash-conf" "$conf"
	settle_lvm
	result $? 'lvm: there is something to lose'
	sweep_all verbs_lvm
	for c in $(lx ls -1); do lx destroy -q -f -s "$c"; done
	vgremove -q -y "$VG" >/dev/null 2>&1
	losetup -d "$LOOP"
	umount "$conf"
fi
TREE=$TOP
rm -r "$ROOTS"
finish

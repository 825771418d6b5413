# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A guest that nests deeper than a path is long keeps nobody from copying it, or from deleting it.
# In machines: check-vm-full.
. ./lib.sh

need busybox python3
DEPTH=2300
root_of() { # root_of DIR WHERE: where the files of a guest's own lie
	local dir
	for dir in "$TREE/$1"/rootfs "$TREE/$1"/overlay*/upper "$TREE/.layers"/*/rootfs; do
		[ ! -d "$dir/$2" ] || { echo "$dir/$2" && return; }
	done
}
dig() { # dig NAME: into what is the guest's own, while it is stopped
	local dir
	for dir in "$TREE/$1"/rootfs "$TREE/$1"/overlay*/upper; do
		[ ! -d "$dir" ] || { python3 ./deep.py dig "$dir/deep" "$DEPTH" && return; }
	done
}
IS="$DEPTH bottom 0o4751 7 linked nowhere fifo 0o2711 10485760 sparse 1000000000 dark 7 ['d', 'top']"
look() { python3 ./deep.py look "$(root_of "$1" "${2:-deep}")"; }

for b in dir overlay; do
	busybox deep -B $b
	ok "$b: a guest digs" dig deep
	ok "$b: a fresh root keeps the old one" lx reinstall -q --keep-old deep
	is "$IS" "$b: with all of it" look deep old/deep
	lx destroy -q deep
	busybox deep -B $b
	dig deep
	lx start deep
	is "$IS" "$b: it is deep" look deep
	ok "$b: a copy of a running one" lx copy -q deep copy
	is "$IS" "$b: has all of it" look copy
	ok "$b: it starts" lx start copy
	lx stop -q -k copy
	ok "$b: a copy is destroyed" lx destroy -q copy
	ok "$b: a snapshot of a running one" lx snapshot -q deep one
	is "$IS" "$b: which has it" look deep/snapshots/one
	ok "$b: is restored as another" lx snapshot -q deep -r one -N again
	is "$IS" "$b: with all of it" look again
	lx destroy -q again
	lx stop -q -k deep
	ok "$b: a full copy of a stopped one" lx copy -q deep copy
	is "$IS" "$b: has all of it, too" look copy
	lx destroy -q copy
	if [ "$b" = overlay ]; then
		for n in $(seq 18); do
			lx push deep lib.sh "/file$n"
			lx snapshot -q deep "s$n"
		done
		says '^[1-9]$' "$b: many layers become one" grep -c '^layer = ' "$TREE/deep/storage"
		mounted=$(lx mount -r deep)
		is "$IS" "$b: with all of it, still" python3 ./deep.py look "$mounted/deep"
		is 18 "$b: and what came since" bash -c "ls $mounted/file* | wc -l"
		lx umount -q deep
		ok "$b: it starts on them" inside deep 'test -e /file1 && cat /deep/top'
	fi
	if [ "$b" = dir ]; then
		ok "$b: a copy that is an overlay" lx copy -q -B overlay deep copy
		is "$IS" "$b: has all of it just as well" look copy
		lx destroy -q copy
		ok "$b: becomes an overlay that copies share" lx copy -q -s -B overlay deep copy
		is "$IS" "$b: with all of it" look deep
		lx destroy -q copy
	fi
	ok "$b: all is destroyed" lx destroy -q -s deep
	is '' "$b: nothing is left" find "$TREE" -mindepth 1 -maxdepth 1 ! -name .layers
done
finish

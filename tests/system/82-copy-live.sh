# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Copies and snapshots of containers that write meanwhile: each is of one instant. The writer counts
# in two files, one behind the other, so that the first is ahead by one at most.
# In machines: check-vm-full.
. ./lib.sh

TOP=$TREE
writer='n=0; while :; do n=$((n + 1)); echo $n >/.a; mv /.a /a; echo $n >/.b; mv /.b /b; done'

# of_one_instant NAME: the two numbers, if they do not fit or are not there.
of_one_instant() {
	local a b
	a=$(lx pull "$1" /a - 2>&1)
	b=$(lx pull "$1" /b - 2>&1)
	[[ $a$b != *[!0-9]* && -n $a && -n $b ]] && [ $((a - b)) -ge 0 ] && [ $((a - b)) -le 1 ] || echo "$1: $a, $b;"
}

backend() { # backend NAME OPTIONS...
	local b=$1 i bad='' seen n n_was
	shift
	ok "$b: create" busybox w -B "$b" "$@"
	lx start w
	# Some of it for the copy to take its time with.
	lx attach w -- sh -c 'mkdir /d; i=0; while [ $i -lt 300 ]; do echo $i >/d/$i; i=$((i + 1)); done'
	lx attach w -- sh -c "($writer) >/dev/null 2>&1 </dev/null &"
	eventually lx attach w -- test -s /b
	n=$(places 1 2 3 4 5 6 7 8 9 10)
	for i in $n; do
		lx copy -q w "c$i" || bad="$bad copy $i;"
		bad="$bad$(of_one_instant "c$i")"
		lx destroy -q "c$i"
	done
	is '' "$b: copies are of one instant" echo "$bad"
	bad=''
	for i in $n; do
		lx snapshot -q w "s$i" || bad="$bad snapshot $i;"
	done
	n_was=$(lx attach w -- cat /a)
	ok "$b: the writer went on" eventually lx attach w -- sh -c "[ $n_was -lt \$(cat /a) ]"
	lx stop -k w
	seen=''
	for i in $n; do
		lx snapshot -q w -r "s$i" -N "r$i" || bad="$bad restore $i;"
		of_one_instant "r$i" >>"$TOP/.bad"
		seen="$seen $(lx pull "r$i" /a -)"
		lx destroy -q "r$i"
	done
	is '' "$b: so are snapshots" echo "$bad$(cat "$TOP/.bad")"
	is "$(wc -w <<<"$seen")" "$b: each of another one" sh -c "printf '%s\n' $seen | sort -u | wc -l"
	rm -f "$TOP/.bad"
	lx destroy -q -s w
}

backend overlay
backend dir
backend loop --fssize 64M
if truncate -s 1G "$TOP/.btrfs" && mkfs.btrfs -q "$TOP/.btrfs" 2>/dev/null && mkdir "$TOP/.mnt" &&
	mount -o loop "$TOP/.btrfs" "$TOP/.mnt"; then
	TREE=$TOP/.mnt/ct
	mkdir -m 711 "$TREE"
	backend btrfs
	TREE=$TOP
	umount "$TOP/.mnt"
else
	skip 'btrfs' 'no btrfs here'
fi

# What ties an overlay's layers to their file handles must not come along: the kernel would refuse to
# mount them, where lxmgr.checkpoint has it look.
busybox k -s lxmgr.checkpoint=1
lx start k
lx attach k -- sh -c 'chmod 600 /etc/passwd; ln /etc/passwd /etc/also; mkdir /made; mv /etc/group /made/group'
ok 'checkpoint: copy of a running one' lx copy k k1
lx stop -k k
if command -v getfattr >/dev/null; then
	# Of files that nobody touched since; its own mounts give new ones to what they change.
	attributes() { (cd "$TREE/$1/overlay/upper" && getfattr -d -m 'trusted.overlay.(origin|nlink)' etc/passwd made/group 2>/dev/null); }
	ok 'control: the source has such attributes' test -n "$(attributes k)"
	is '' 'the copy has not' attributes k1
else
	skip 'attributes' 'no getfattr here'
fi
ok 'checkpoint: copy' lx copy k k2
ok 'checkpoint: snapshot' lx snapshot k
ok 'checkpoint: shared copy' lx copy -s k k3
ok 'checkpoint: restore' lx snapshot k -r snap0
for c in k k1 k2 k3; do
	ok "checkpoint: $c starts" lx start "$c"
	is 600 "checkpoint: $c: one file" lx attach "$c" -- sh -c '[ /etc/passwd -ef /etc/also ] && [ -s /made/group ] && stat -c %a /etc/passwd'
	ok "checkpoint: $c: it can be changed" lx attach "$c" -- sh -c 'chmod 644 /etc/also; rm -r /made'
	lx stop -k "$c"
done
finish

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2016,SC2086
# What each verb has to do on every backend: the same checks for all of them. Sourced after lib.sh and tree.sh;
# needs python3 zstd jq setfattr setfacl setcap. In all of them BACKEND is SRC's, which verbs_on makes, INTO
# that of what an import makes, and MAKE are the options for it.

# verbs_on BACKEND [SIZE]: that of its file system, where it has one of its own.
verbs_on() {
	local BACKEND=$1 INTO=$1 SIZE=${2:-} MAKE=() SRC=v$$ WORK=$TREE/.verbs before part
	[ -z "$SIZE" ] || MAKE=(--fssize "$SIZE")
	# What an import unpacks is no layer over an image.
	[ "$BACKEND" != overlay ] || INTO=dir
	mkdir -m 700 "$WORK"
	before=$(below)
	ok "$BACKEND: create" busybox $SRC -B "$BACKEND" "${MAKE[@]}" -s lxmgr.limit.pids=77
	for part in mount archive points diff files guest names image reinstall; do
		verbs_$part
	done
	ok "$BACKEND: destroy" lx destroy -q -s $SRC
	is "$before" "$BACKEND: nothing is left of them" below
	rm -r "$WORK"
}

below() { find "$TREE" -mindepth 1 -maxdepth 1 ! -name '.lock*' ! -name .layers ! -name .images | sort; }
backend() { sed -n 's/^backend = //p' "$TREE/$1/storage"; }
# The list of its root, or of DIR in it, but what each container has of its own. Zeros may become holes, and
# each file system counts the names of directories in its own way.
seen() { # seen NAME [DIR]
	at_root "$1" python3 "$PWD/treelist.py" "${2:-.}" '' etc etc/hostname etc/hosts etc/machine-id |
		sed -E "s/ [0-9,-]*\$//; s/( 0o4[0-7]+ [0-9]+ [0-9]+ [0-9]+) [0-9]+ ''/\1/"
}
same() { diff "$WORK/list.$2" <(seen "$1"); } # same NAME LIST
# comes_back LIST WHAT: imported, it is what the list says.
comes_back() {
	lx import -q -B $INTO "${MAKE[@]}" -K --keepid "$2" -n back && [ "$(backend back)" = $INTO ] && same back "$1"
	local rc=$?
	lx destroy -q back && return $rc
}
mib() { at_root "$1" df -m --output=size . | tail -n 1; }

verbs_mount() {
	local verb
	ok "$BACKEND: mount" at_root $SRC fill .
	at_root $SRC sh -c "cat >d/lib" <lib.sh
	seen $SRC >"$WORK/list.full"
	ok "$BACKEND: what was written is there" grep -q "'d/capable' 0o104711 .* security.capability=" "$WORK/list.full"
	mkdir "$WORK/at"
	ok "$BACKEND: mount -r" lx mount -q -r $SRC "$WORK/at"
	status 1 "$BACKEND: where nothing can be written" touch "$WORK/at/x"
	for verb in start snapshot destroy reinstall 'copy -R'; do
		status 4 "$BACKEND: meanwhile no $verb" lx $verb $SRC ${verb:+$([ "$verb" != 'copy -R' ] || echo other)}
	done
	ok "$BACKEND: it shows what there is" cmp lib.sh "$WORK/at/d/lib"
	ok "$BACKEND: umount" lx umount -q $SRC
	rmdir "$WORK/at"
}

verbs_archive() {
	ok "$BACKEND: export" lx export -q $SRC "$WORK/a.tar.zst"
	ok "$BACKEND: import" comes_back full "$WORK/a.tar.zst"
	ok "$BACKEND: the source is as it was" same $SRC full
	lx start $SRC
	lx attach $SRC -- sh -c 'echo late >/late'
	ok "$BACKEND: export of a running one" bash -c "set -o pipefail; lxmgr-export -P $TREE -q $SRC - | lxmgr-import -P $TREE - -n back -q -B $INTO ${MAKE[*]}"
	is late "$BACKEND: has what was written a moment ago" inside back 'cat /late'
	ok "$BACKEND: the running one can be written to" lx attach $SRC -- rm /late
	lx stop -k $SRC
	lx destroy -q back
}

verbs_points() {
	local dir=$WORK/points p i=0
	at_root $SRC sh -c 'mkdir m && head -c 1000000 /dev/urandom >m/one && ln m/one m/two'
	for p in first nothing changed gone; do
		case $p in
		changed) at_root $SRC sh -c 'echo two >d/a; rm m/two; ln d/empty m/three; mv deep shallow; chown 5:6 "sp ace"; touch -d 2003-03-03 d/sub' ;;
		gone) at_root $SRC sh -c 'rm -r d shallow && mkdir d && echo back >d/b' ;;
		esac
		ok "$BACKEND: a point of a backup: $p" lx export -q $SRC --incremental "$dir"
		seen $SRC >"$WORK/list.$p"
	done
	is true "$BACKEND: where nothing has changed it is small" bash -c "lxmgr-export --json --list $dir | jq '.[1].size * 10 < .[0].size'"
	for p in first nothing changed gone; do
		ok "$BACKEND: $p comes back" comes_back $p "$dir@$(lxmgr-export --json --list "$dir" | jq -r ".[$i].point")"
		i=$((i + 1))
	done
	at_root $SRC rm -r m d 'sp ace' chroot
	at_root $SRC fill .
}

verbs_diff() {
	inside $SRC 'mkdir -p /w/gone/below /w/sub; echo one >/w/data; echo one >/w/mode; echo one >/w/owner; echo x >/w/kind; ln -s a /w/link; echo same >/w/same'
	lx snapshot -q $SRC one
	is '' "$BACKEND: nothing is different from a snapshot" lx snapshot $SRC --diff one
	inside $SRC 'rm -r /w/gone; echo two >/w/data; chmod 600 /w/mode; chown 7:8 /w/owner; rm /w/kind; mkdir /w/kind; ln -sfn b /w/link; mkdir -p /w/new/deep; echo x >/w/new/deep/file'
	lx snapshot -q $SRC two
	cat >"$WORK/diff" <<-'EOT'
		M /w/data (data)
		- /w/gone
		- /w/gone/below
		M /w/kind (type)
		M /w/link (data)
		M /w/mode (mode)
		+ /w/new
		+ /w/new/deep
		+ /w/new/deep/file
		M /w/owner (owner)
	EOT
	is "$(cat "$WORK/diff")" "$BACKEND: what is different of two snapshots" lx snapshot $SRC --diff one two
	is "$(tr '+-' '-+' <"$WORK/diff")" "$BACKEND: and the other way" lx snapshot $SRC --diff two one
	is "$(cat "$WORK/diff")" "$BACKEND: of the container now" lx snapshot $SRC --diff one
	lx start $SRC
	lx attach $SRC -- rm -r /w/new
	is "$(grep -v /new "$WORK/diff")" "$BACKEND: of one that runs" lx snapshot $SRC --diff one
	lx stop -k $SRC
	ok "$BACKEND: restore" lx snapshot $SRC -r one
	is '' "$BACKEND: then nothing is" lx snapshot $SRC --diff one
	lx snapshot -q $SRC -d two
}

verbs_files() {
	local way
	mkdir -p "$WORK/tree/sub"
	head -c 3000000 /dev/urandom >"$WORK/tree/big"
	ln -s ../big "$WORK/tree/sub/link"
	chmod 640 "$WORK/tree/big"
	for way in stopped running; do
		[ $way = stopped ] || lx start $SRC
		ok "$BACKEND: push, $way" lx push -r $SRC "$WORK/tree" /$way
		ok "$BACKEND: pull, $way" lx pull -r $SRC /$way "$WORK/pulled"
		ok "$BACKEND: what came back, $way" diff -r --no-dereference "$WORK/tree" "$WORK/pulled"
		is '640 link' "$BACKEND: with its modes, $way" bash -c "cd $WORK/pulled; echo \$(stat -c %a big) \$(test -L sub/link && echo link)"
		ok "$BACKEND: a file with its owner, $way" lx push -m 4711 -u 12 -g 13 $SRC lib.sh /$way/file
		rm -r "$WORK/pulled"
	done
	is '4711 12:13' "$BACKEND: it is there" lx attach $SRC -- sh -c 'stat -c "%a %u:%g" /running/file; rm -r /running /stopped'
	lx stop -k $SRC
}

verbs_guest() {
	local way n=1
	for way in stopped running; do
		[ $way = stopped ] || lx start $SRC
		ok "$BACKEND: setup, $way" lx setup $SRC --nameserver 192.0.2.$n --hosts "192.0.2.$n h$n"
		says 'Nothing had to be changed' "$BACKEND: setup once more, $way" lx setup $SRC --nameserver 192.0.2.$n --hosts "192.0.2.$n h$n"
		is 192.0.2.$n "$BACKEND: it shows it, $way" bash -c "lxmgr-setup -P $TREE $SRC --show --json | jq -r '.nameservers[]'"
		is "$n:a b" "$BACKEND: runscript, $way" bash -c "echo 'grep -c h$n /etc/hosts >/$way; echo \$#:\$1; exit 0' | sed 's/\$#/$n/' | lxmgr-runscript -P $TREE $SRC - 'a b' | tr -d '\r'"
		status 7 "$BACKEND: its status, $way" bash -c "echo exit 7 | lxmgr-runscript -P $TREE $SRC -"
		n=$((n + 1))
	done
	is '1 1' "$BACKEND: what it wrote is there" lx attach $SRC -- sh -c 'echo $(cat /stopped /running)'
	lx stop -k $SRC
}

verbs_names() {
	seen $SRC >"$WORK/list.now"
	ok "$BACKEND: rename" lx copy -R $SRC other
	status 3 "$BACKEND: the old name is free" lx info $SRC
	ok "$BACKEND: it holds the same" same other now
	is one "$BACKEND: with its snapshot" bash -c "lxmgr-snapshot -P $TREE -L --json other | jq -r '.[].name'"
	ok "$BACKEND: it starts" inside other true
	ok "$BACKEND: and back" lx copy -R other $SRC
	seen $SRC >"$WORK/list.now"
	ok "$BACKEND: copy to another directory" lx copy -K --keepid -p "$WORK/far" $SRC far
	is "$BACKEND" "$BACKEND: of the same backend" TREE_IS "$WORK/far" backend far
	ok "$BACKEND: with all of it" TREE_IS "$WORK/far" same far now
	ok "$BACKEND: it starts there" TREE_IS "$WORK/far" inside far true
	ok "$BACKEND: destroy it" TREE_IS "$WORK/far" lx destroy -q far
}
TREE_IS() { # TREE_IS DIR COMMAND...: where that is the directory of containers
	local TREE=$1
	shift
	"$@"
}

verbs_image() {
	local image=verbs-$$
	seen $SRC d >"$WORK/list.now"
	ok "$BACKEND: publish" lxmgr-image -q -P "$TREE" publish $SRC --as $image
	ok "$BACKEND: a container of that image" lx create -q -n pub --image $image -B "$BACKEND" "${MAKE[@]}"
	is '' "$BACKEND: what there was is in it" diff "$WORK/list.now" <(seen pub d)
	ok "$BACKEND: it starts" inside pub true
	lx destroy -q pub
	forget_trees
	ok "$BACKEND: the image is deleted" lxmgr-image -q delete $image
}

verbs_reinstall() {
	local size
	size=$(mib $SRC)
	at_root $SRC sh -c 'echo mine >mine; chown 1000 mine'
	ok "$BACKEND: reinstall" lx reinstall -q --keep-old $SRC
	is "$BACKEND 77" "$BACKEND: as it was" echo "$(backend $SRC) $(lx config $SRC lxmgr.limit.pids)"
	[ -z "$SIZE" ] || is "$size" "$BACKEND: as large as it was" mib $SRC
	is 'mine 1000 fresh' "$BACKEND: the old root is in it" inside $SRC 'echo $(cat /old/mine; stat -c %u /old/mine; test -e /mine || echo fresh)'
	ok "$BACKEND: again" lx reinstall -q $SRC
	is gone "$BACKEND: without it" inside $SRC 'test -e /old || echo gone'
	ok "$BACKEND: its snapshot is restored" lx snapshot $SRC -r one
	is same "$BACKEND: with the root that it is of" inside $SRC 'cat /w/same'
	lx snapshot -q $SRC -d one
	[ "$BACKEND" != dir ] || return
	ok "$BACKEND: reinstall into backend dir" lx reinstall -q -B dir $SRC
	is "dir fresh" "$BACKEND: which it is" echo "$(backend $SRC) $(inside $SRC 'test -e /w || echo fresh')"
	[ -z "$SIZE" ] || lx config -n $SRC lxmgr.limit.disk="$SIZE"
	ok "$BACKEND: and back" lx reinstall -q -B "$BACKEND" $SRC
	is "$BACKEND up" "$BACKEND: which it is, too" echo "$(backend $SRC) $(inside $SRC 'echo up')"
	[ -z "$SIZE" ] || is "$size" "$BACKEND: as large as its limit" mib $SRC
}

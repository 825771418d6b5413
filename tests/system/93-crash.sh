# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2034,SC2086,SC2317,SC2329
# Each verb is killed at its changing calls, or has them fail (crash.c). After that the container is as it
# was or as asked, what it came from is the same byte for byte, the same command works, and then nothing is
# left. LXMGR_TEST_CRASH: all places (`make check-crash`), or so many of each verb; otherwise a few.
# LXMGR_TEST_VERBS: a pattern for the verbs to do. LXMGR_TEST_VERBOSE: what is wrong is told at once.
. ./lib.sh
need getfattr

# Ids, addresses and images of the test's own, so that all that is left can be seen.
if [ -z "${CRASH_TEST_INSIDE:-}" ]; then
	mkdir -p "$VAR/lib/lxmgr" "$CACHE"
	rmdir "$TREE"
	export CRASH_TEST_INSIDE=1
	unset TREE
	exec unshare --mount --propagation private bash "$0" "$@"
fi
ok 'crash builds' gcc -O1 -Wall -o "$TREE/.crash" crash.c
mkdir -m 0711 "$TREE/.crash-state" "$TREE/.crash-cache"
mount --bind "$TREE/.crash-state" "$VAR/lib/lxmgr"
mount --bind "$TREE/.crash-cache" "$VAR/cache/lxmgr"
mkdir -m 0711 "$CACHE"
BEFORE=$(host_state)
MODES=(all tool one ENOSPC EIO full)
PLACES=${LXMGR_TEST_CRASH:-6}

# A template of the test's own, for an image that can be made anew each time.
TEMPLATE=$TREE/.template
cat >"$TEMPLATE" <<'END'
#!/bin/sh
set -eu
for a; do case $a in --rootfs=*) root=${a#*=} ;; esac; done
cd "$root"
mkdir -p bin dev etc proc root sbin sys tmp
cp "$(command -v busybox)" bin/busybox
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
		;;
	*)
		if [ "$1" = f ] || grep -q '^layer' "$TREE/$1/storage"; then
			dir=$(lx mount -r "$1") || return 1
			sum_dir "$dir"
			lx umount -q "$1"
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
has_snap() { [[ $(lx snapshot -L --json "$1") == *"\"name\": \"$2\""* ]]; }
no_snap() { ! has_snap "$@"; }
drop_snap() { no_snap "$@" || lx snapshot -q "$1" -d "$2"; }
# Whoever was killed may leave it frozen; then what goes in thaws it.
lively() { [ "$(lx info -s -H "$1")" = RUNNING ] && awake "$1"; }
awake() { timeout 60 lxmgr-attach -P "$TREE" "$1" -- true; }
frozen() { [ "$(lx info -s -H "$1")" = FROZEN ]; }
has_limit() { grep -q '^lxmgr.limit.pids = 99$' "$TREE/$1/config"; }
mounted() { [[ $(lx mount --json) == *"\"name\": \"$1\""* ]]; }
unmounted() { ! mounted "$1"; }
has_image() { lxmgr-image show "$1" >/dev/null 2>&1; }
no_image() { ! has_image "$1"; }
publish() { has_image "$1" || lxmgr-image -q -P "$TREE" publish d --as "$1" >/dev/null; }

# NAME|COMMAND|SOURCE|AS IT WAS|AS ASKED|BACK TO BEFORE: a verb, the container or snapshot that it must not
# change, and its tests.
verbs() {
	cat <<'END'
create|lxmgr-create -q -t busybox -n x|d|absent x|whole x|drop x
create, dir|lxmgr-create -q -t $TEMPLATE -B dir -n x|d|absent x|whole x|drop x
create with its image|lxmgr-create -q -t $TEMPLATE -n x -- --again|d|absent x|whole x|drop x; lxmgr-image -q prune >/dev/null
destroy|lxmgr-destroy -q x|d|whole x|absent x|have x
destroy with snapshots|lxmgr-destroy -q -s x|s|there x|absent x|have x; has_snap x s || lx snapshot -q x s
destroy of one that runs|lxmgr-destroy -q -f x|d|there x|absent x|have x; lively x >/dev/null 2>&1 || lx start x
copy|lxmgr-copy -q a x|a|absent x|whole x|drop x
copy, dir|lxmgr-copy -q d x|d|absent x|whole x|drop x
copy of one with layers|lxmgr-copy -q s x|s|absent x|whole x|drop x
copy -s|lxmgr-copy -q -s f x|f|absent x|whole x|drop x; drop f; lx copy -q a f
copy -s of one with layers|lxmgr-copy -q -s s x|s|absent x|whole x|drop x
copy of one that runs|lxmgr-copy -q l x|d|absent x && lively l|there x && lively l|drop x
copy -s of one that runs|lxmgr-copy -q -s l x|d|absent x && lively l|there x && lively l|drop x
snapshot|lxmgr-snapshot -q k s|k|no_snap k s|has_snap k s|drop_snap k s; writes k now
snapshot, dir|lxmgr-snapshot -q j s|j|no_snap j s|has_snap j s|drop_snap j s
snapshot of one that runs|lxmgr-snapshot -q l s|d|no_snap l s && lively l|has_snap l s && lively l|drop_snap l s
snapshot -r|lxmgr-snapshot -q k -r old|k/old|reads k now|reads k then|writes k now
snapshot -r, dir|lxmgr-snapshot -q j -r old|j/old|reads j now|reads j then|writes j now
snapshot -r -N|lxmgr-snapshot -q k -r old -N x|k|absent x|there x && reads x then|drop x
snapshot -d|lxmgr-snapshot -q k -d t|k/old|has_snap k t|no_snap k t|has_snap k t || { writes k third && lx snapshot -q k t; }; writes k now
rename|lxmgr-copy -q -R r x|d|absent x && reads r lived|absent r && reads x lived|there r || lx copy -q -R x r
reinstall|lxmgr-reinstall -q r|d|reads r lived|there r && ! reads r lived|writes r lived
reinstall --keep-old|lxmgr-reinstall -q --keep-old r|d|reads r lived|grep -q lived $TREE/r/overlay/upper/old/f|lx reinstall -q r; writes r lived
freeze|lxmgr-freeze l|d|awake l|frozen l|lx unfreeze l
unfreeze|lxmgr-unfreeze l|d|frozen l|awake l|frozen l || lx freeze l
config|lxmgr-config -n d lxmgr.limit.pids=99|a|! has_limit d|has_limit d|! has_limit d || lx config -n d lxmgr.limit.pids=
push|lxmgr-push d lib.sh /pushed|a|[ ! -e $TREE/d/rootfs/pushed ]|cmp lib.sh $TREE/d/rootfs/pushed|rm -f $TREE/d/rootfs/pushed
pull|lxmgr-pull d /f $TREE/.pulled|d|[ ! -e $TREE/.pulled ]|cmp $TREE/d/rootfs/f $TREE/.pulled|rm -f $TREE/.pulled
mount|lxmgr-mount -q a|a|unmounted a|mounted a|unmounted a || lx umount -q a
umount|lxmgr-umount -q a|a|mounted a|unmounted a|mounted a || lx mount -q a >/dev/null
image publish|lxmgr-image -q publish d --as spare|d|no_image spare|has_image spare|no_image spare || lxmgr-image -q delete spare
image delete|lxmgr-image -q delete spare|d|has_image spare|no_image spare|publish spare
image prune|lxmgr-image -q prune --all|d|has_image spare|no_image spare|publish spare
import|lxmgr-import -q $TREE/.root.tar -n x|d|absent x|whole x|drop x
import of an export|lxmgr-import -q $TREE/.export.tar.zst -n x|d|absent x|whole x|drop x
export|lxmgr-export -q d $TREE/.out.tar.zst|d|[ ! -e $TREE/.out.tar.zst ]|zstd -qt $TREE/.out.tar.zst|rm -f $TREE/.out.tar.zst
END
}

# What there is before any of them.
settle() {
	local c
	for c in a k l r; do busybox "$c" || return 1; done
	for c in d j; do lx create -q -t "$TEMPLATE" -B dir -n $c || return 1; done
	live_in "$TREE/a/overlay/upper"
	live_in "$TREE/d/rootfs"
	lx copy -q a s && lx copy -q -s s s0 && lx destroy -q s0 && lx copy -q a f || return 1
	for c in k j; do
		writes $c 'then' && lx snapshot -q $c old && writes $c third && lx snapshot -q $c t && writes $c now || return 1
	done
	writes r lived && lx start l || return 1
	tar -C "$TREE/d/rootfs" --xattrs -cf "$TREE/.root.tar" . || return 1
	[ -z "$(command -v lxmgr-export)" ] || lx export -q a "$TREE/.export.tar.zst"
	HASH=$(lx mount -r a) && HASH=${HASH##*-} && lx umount -q a && [ -n "$HASH" ]
}
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
# After a failure: all anew, so that the next ones are not judged by it.
afresh() {
	local c
	for c in $(lx ls -1); do lx destroy -q -f -s "$c"; done
	awk -v t="$TREE/" -v h="$HASH" 'index($5, t) || index($5, h) { print $5 }' /proc/self/mountinfo |
		xargs -r -n 1 umount -l
	rm -rf --one-file-system "${TREE:?}"/[a-z]* "$TREE"/.export* "$TREE"/.[a-z]*.{new,dead}-* "$TREE/.layers"
	rm -f "$VAR/lib/lxmgr"/{idmap,leases,mcs}
	settle
} >/dev/null 2>&1

# What there is beside what the containers hold. Names lose what differs each time. A file's new version has
# one name, that the next one overwrites.
listing() {
	local l
	{
		find "$TREE" -mindepth 1 -maxdepth 4 \( -name rootfs -o -name upper -o -name work -o -path "$TREE/.crash*" \) \
			-printf '%P\n' -prune -o -printf '%P\n' | sed 's/^/tree: /'
		for l in "$TREE"/.layers/*; do
			[ ! -d "$l" ] || grep -qr "^layer = ${l##*/}" --include=storage "$TREE" || echo "layer that nobody needs"
		done
		find "$VAR/lib/lxmgr" "$CACHE" -mindepth 1 -maxdepth 1 ! -name '.*.lock' -printf 'state: %f\n'
		for l in idmap leases mcs trees; do
			[ ! -e "$VAR/lib/lxmgr/$l" ] || awk -v f=$l '{ print f ": " $NF }' "$VAR/lib/lxmgr/$l"
		done
		awk -v t="$TREE/" -v h="$HASH" 'index($5, t) || index($5, h) { print "mount: " $5 }' /proc/self/mountinfo
		find "$RUN" -name "*$HASH*" 2>/dev/null
		find /sys/fs/cgroup -mindepth 2 -type d -name "*$HASH*" 2>/dev/null
	} | grep -v '/lock$\|/\.[^/]*\.tmp$' | sed -E 's,/[0-9a-f]{16}(/|$),/ID\1,; s,/overlay(\.[0-9]+)?,/overlay,; s,[0-9a-f]{64},DIGEST,' | sort -u
}

left() {
	OUT=$(diff <(printf '%s\n' "$LISTING") <(listing) | grep '^[<>]' | head -n 5 | tr '\n' ' ')
	[ -z "$OUT" ]
}

# One injection into the verb whose parts are in COMMAND and so on. Prints what is wrong with its outcome.
judge() { # judge MODE N
	local rc why='' cause='' how=(-n "$2") victim after=1
	case $1 in
	all | tool | one) how+=(-k "$1") ;;
	ENOSPC | full) how+=(-e "$1") cause='No space left' ;;
	*) how+=(-e "$1") cause='Input/output error' ;;
	esac
	OUT=$(timeout 300 "$TREE/.crash" -o "$TREE/.crash.report" "${how[@]}" $COMMAND 2>&1 </dev/null)
	rc=$?
	victim=$(head -n 1 "$TREE/.crash.report")
	[ -n "$victim" ] || return
	grep -q ^left "$TREE/.crash.report" && why+=' leaves a process;'
	case $1:$rc in
	all:137 | tool:137 | *:0) ;;
	one:137) [[ $victim == *"[tool] "* ]] || why+=' dies of a child that was killed;' ;;
	*:124 | *:12[5-7] | *:1[3-9]? | all:* | tool:*) why+=" ends with status $rc;" ;;
	one:*) [ -n "$OUT" ] || why+=' says nothing;' ;;
	*) printf '%s\n' "$OUT" | grep -q "$cause" || why+=" does not tell '$cause' but '$OUT';" ;;
	esac
	lx ls -1 >/dev/null 2>&1 || why+=' then ls fails;'
	eval "$AFTER" >/dev/null 2>&1 && after=0
	[ $after = 0 ] || OUT=$(eval "$WAS" 2>&1) || why+=" neither as it was nor as asked: $OUT;"
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

# The numbers I * STEP of all pairs of a place and a mode, so that few take something of each.
sweep() { # sweep NAME
	local n calls pairs step bad='' one tried=0
	WANT=''
	eval "$RESET" >/dev/null 2>&1
	ok "$1: a trial run" "$TREE/.crash" -o "$TREE/.crash.report" $COMMAND
	calls=$(wc -l <"$TREE/.crash.report")
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
		one=$(judge "${MODES[n % ${#MODES[@]}]}" $((n / ${#MODES[@]} + 1)))
		tried=$((tried + 1))
		[ -n "$one" ] || continue
		bad+=$one$'\n'
		[ -z "${LXMGR_TEST_VERBOSE:-}" ] || echo "# $1: $one"
		afresh
		eval "$RESET" >/dev/null 2>&1
		SOURCE_SUM=$(TIMES=1 sum "$SOURCE" 2>&1)
	done
	is '' "$1: $tried faults at its $calls changing calls" printf '%s' "$bad"
	drop x
}

settle
result $? 'there is something to lose'
in_haste && : "${LXMGR_TEST_VERBS:=@(create|copy -s|destroy|snapshot -r)}"
shopt -s extglob
while IFS='|' read -r name COMMAND SOURCE WAS AFTER RESET; do
	# shellcheck disable=SC2053 # it is a pattern
	[[ $name == ${LXMGR_TEST_VERBS:-*} ]] || continue
	tool=${COMMAND%% *}
	if ! command -v "$tool" >/dev/null; then
		skip "$name" "there is no $tool"
		continue
	fi
	case $tool in
	lxmgr-image) [[ $COMMAND != *publish* ]] || COMMAND="${COMMAND/lxmgr-image/lxmgr-image -P $TREE}" ;;
	*) COMMAND="${COMMAND/ / -P $TREE }" ;;
	esac
	eval "COMMAND=\"$COMMAND\""
	sweep "$name" <&-
done < <(verbs)

# A disk that is full, ids, addresses and all: what destroy deletes first is the room that it needs.
# shellcheck disable=SC2053
if [[ destroy == ${LXMGR_TEST_VERBS:-*} ]]; then
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
finish

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# What the tools owe their user whatever the verb: bad input, closed and full output, lists, JSON.
# In machines: check-vm-full.
. ./lib.sh

busybox a -s lxmgr.group=web -s lxmgr.group=db
busybox b
# An id that does not fit must not become root's.
for id in 4294967295 4294967296 18446744073709551616 -1 +1 0x1 ''; do
	status 64 "execute -u '$id' is refused" lx execute b "-u=$id" -- id -u
	status 64 "execute -g '$id' is refused" lx execute b "-g=$id" -- id -g
	status 64 "usernsexec -u '$id' is refused" lxmgr-usernsexec "-u=$id" -- id -u
	status 64 "unshare -u '$id' is refused" lxmgr-unshare -s UTSNAME "-u=$id" -- id -u
	status 64 "attach -u '$id' is refused" lx attach b "-u=$id" -- id -u
done
is 'a' 'what execute writes to no terminal has plain lines' lx execute b -- echo a
status 64 'wait for no state does not wait' timeout 5 lxmgr-wait -P "$TREE" b -s '|'
status 1 'wait ends in time' timeout 5 lxmgr-wait -P "$TREE" b -s RUNNING -t 1
ok 'the name behind --' lx wait -s STOPPED -- b

# Completion, as installed.
completion=$(command -v lxmgr)
completion=${completion%/bin/*}/share/bash-completion/completions/lxmgr
complete_it() { # complete_it WORD...: what is offered for the last one
	bash -c '. "$0"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _lxmgr; printf "%s\n" "${COMPREPLY[@]}" | sort' "$completion" "$@"
}
offers() { # offers WANT NAME WORD...
	local want=$1 name=$2
	shift 2
	is "$want" "completion: $name" complete_it "$@"
}
if [ -e "$completion" ]; then
	lx snapshot a -q one
	lx snapshot a -q other
	offers $'alpine\nbusybox\ncloud\ndebian\ndevuan\nkali\nlocal\nnone\noci\nubuntu' 'the templates that are installed' lxmgr create -t ''
	offers 'debian' 'of lxmgr-reinstall too' lxmgr-reinstall --template deb
	offers 'loop' 'storage backends' lxmgr-create -n x -B lo
	offers $'btrfs\next4\nxfs' 'types of file systems' lxmgr-copy a x --fstype ''
	offers $'one\nother' 'snapshots' lxmgr snapshot -P "$TREE" a -r o
	offers $'one\nother' 'with -n' lxmgr-snapshot -P "$TREE" -n a --diff one o
	offers $'a\nb' 'where no container is named, containers' lxmgr-snapshot -P "$TREE" -r one ''
	offers $'a\nb' 'and for other tools' lxmgr-start -P "$TREE" ''
	offers '' 'of a container that there is not, none' lxmgr-snapshot -P "$TREE" none -r ''
	image=$(lxmgr-image --json show "$(sed -n 's/^base = //p' "$TREE/a/storage")" | jq -r '.names[0] // .digest[:12]')
	offers "$image" 'images' lxmgr-create --image "$image"
	lx snapshot a -q -d ALL
else
	skip completion "it is not installed ($completion)"
fi

status 64 'config takes one key' lxmgr-config -P "$TREE" -n b lxmgr.limit.pids=11 lxmgr.limit.swap=0
status 64 'config --unset takes no value' lxmgr-config -P "$TREE" -n b --unset lxmgr.limit.pids=5
status 64 'config --running changes nothing' lxmgr-config -P "$TREE" -n b --running lxmgr.limit.pids=5
status 64 'config without a key' lxmgr-config -P "$TREE" -n b
ok 'and none of them did anything' bash -c "! grep -qE 'pids = (5|11)$' $TREE/b/config"
is $'web\ndb' 'a list has a line for each' lxmgr-config -P "$TREE" -n a lxmgr.group
is $'lxmgr.group = web\nlxmgr.group = db' 'so in info -c' lx info a -c lxmgr.group
ok 'config -l --json' bash -c "lxmgr-config -l --json | jq -e '.[\"lxmgr.lxmgrpath\"]'"
ok 'config -l -n --json' bash -c "lxmgr-config -l -n a --json | jq -e 'length > 90 and .[0].name'"
status 1 'info --json of an unknown key' lx info a --json -c no.such.key
ok 'config -l needs no root' setpriv --reuid=65534 --regid=65534 --clear-groups lxmgr-config -l
status 6 'a container does' setpriv --reuid=65534 --regid=65534 --clear-groups \
	lxmgr-config -n a lxmgr.group
ok '--help needs no root' setpriv --reuid=65534 --regid=65534 --clear-groups lxmgr-start --help

verbs=$(lxmgr --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort)
tools=$(cd "$(dirname "$(command -v lxmgr-ls)")" && printf '%s\n' lxmgr-* | sed 's/^lxmgr-//' | sort)
is "$tools" 'each tool is a verb' echo "$verbs"
status 1 'a closed stdout is an error' bash -c "lxmgr-ls -P $TREE >&-"
status 1 'a full stdout is, of the list of verbs too' bash -c 'lxmgr --help >/dev/full'
for fd in 0 1 2; do
	ok "start with $fd closed" bash -c "lxmgr-start -P $TREE b $fd>&-"
	ok "stop with $fd closed" bash -c "lxmgr-stop -k -P $TREE b $fd>&-"
done
ok 'set a key with 1 closed' bash -c "lxmgr-config -P $TREE -n b lxmgr.limit.pids=99 >&-"
is 99 'and it is set' lxmgr-config -P "$TREE" -n b lxmgr.limit.pids

for i in 2 10 9; do busybox "n$i" -s lxmgr.group=n; done
is $'n2\nn9\nn10' 'ls --sort counts' lx ls -1 -g n --sort name
is $'n10\nn9\nn2' 'and downwards' lx ls -1 -g n --sort -name
is 'a' 'ls -g wants all groups' lx ls -1 -g web,db
status 64 'ls -F without a column' lx ls -F ,

# Only what prints JSON loads its library.
for t in start stop attach execute create wait; do
	ok "lxmgr-$t does not load jansson" bash -c "! ldd \$(command -v lxmgr-$t) | grep -q jansson"
done
status 64 'two passwords' lx create -q -t busybox -n c --password x --password-file /dev/null
status 1 'an empty password file' lx create -q -t busybox -n c --password-file /dev/null
ok 'and nothing was made' test ! -e "$TREE/c"
finish

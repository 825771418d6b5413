# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A host with SELinux on: LXMGR_VM_FLAVOUR=selinux or selinux-enforcing with make check-vm.
. ./lib.sh
. ./selinux.sh

context=unconfined_u:unconfined_r:unconfined_t:s0:c1,c2
if ! has_selinux; then
	busybox a -B dir
	says 'without SELinux' 'a context is refused' lx start -s "lxmgr.selinux.context=$context" a
	is STOPPED 'and nothing runs' lx info -s -H a
	says 'without SELinux' 'so is one for its files' lx start -s "lxmgr.selinux.file=$context" a
	ok 'generated starts anyway' lx start -s lxmgr.selinux.context=generated a
	is null 'without a context' sh -c "lxmgr-info -P $TREE --json a | jq -r .selinux"
	skip 'contexts' 'this kernel runs without SELinux'
	finish
	exit
fi
semodule -r lxmgr >/dev/null 2>&1
if ! module_is_loaded; then
	busybox w
	says 'warning: SELinux does not confine.*semodule -i /' 'without the module a start says so' lx start w
	is RUNNING 'but it starts' lx info -s -H w
	is null 'without a context' sh -c "lxmgr-info -P $TREE --json w | jq -r .selinux"
	says 'semodule -i' 'what asks for confinement is refused' sh -c "lxmgr-stop -P $TREE -k w; lxmgr-start -P $TREE -s lxmgr.selinux.context=generated w"
	says 'semodule -i' 'doctor says so too' lxmgr-doctor
	lx destroy -q -f w
	load_module
fi
ok 'the module is loaded' module_is_loaded
mark

# Each kind of container: what is labelled, that all of it works, that nothing was denied.
file_label() { # file_label NAME PATH: seen from the host
	xattr "/proc/$(lx info -p -H "$1")/root$2"
}
xattr() { getfattr --absolute-names -h --only-values -n security.selinux "$1" 2>/dev/null | tr -d '\0'; }
process_label() { lx attach "$1" -- cat "/proc/$2/attr/current" | tr -d '\0'; }
levels=''
for kind in overlay dir 'overlay --privileged' 'dir --privileged'; do
	type=lxmgr_container_t name=c-${kind%% *}
	[ "$kind" = "${kind%--privileged}" ] || type=lxmgr_privileged_t name=p-${kind%% *}
	# shellcheck disable=SC2086
	busybox "$name" -B $kind
	ok "$name starts" lx start "$name"
	init=$(process_label "$name" 1)
	level=${init#*_t:}
	says "^system_u:system_r:$type:s0:c[0-9]+,c[0-9]+\$" 'init is confined' echo "$init"
	is "$init" 'so is an attached command' process_label "$name" self
	is "$init" 'info has it' sh -c "lxmgr-info -P $TREE --json $name | jq -r .selinux"
	for f in / /etc/hostname /bin/sh /dev /dev/shm /dev/pts /dev/console /proc/kcore; do
		is "system_u:object_r:lxmgr_file_t:$level" "the label of $f" file_label "$name" "$f"
	done
	ok 'files, links, pipes, sockets and directories can be made' lx attach "$name" -- sh -c 'cd /root && mkdir d && echo x >d/f &&
		ln -s f d/l && cat d/l && mkfifo d/p && mv d e && chmod 700 e && rm -r e && echo >/dev/shm/x && ls /dev/mqueue'
	ok 'a tmpfs can be mounted and used' lx attach "$name" -- sh -c 'mount -t tmpfs t /mnt && echo x >/mnt/f && mkdir /mnt/d && cat /mnt/f && umount /mnt'
	ok 'a terminal works' script -qec "lxmgr-attach -P $TREE $name -- sh -c 'tty && stty -a'" /dev/null
	is yes 'output goes to a file of the host' sh -c "lxmgr-attach -P $TREE $name -- echo yes >$TREE/.out; cat $TREE/.out"
	is yes 'and to a pipe' sh -c "echo yes | lxmgr-attach -P $TREE $name -- cat | cat"
	levels="$levels $level"
done
is 4 'each has categories of its own' sh -c "printf '%s\n' $levels | sort -u | wc -l"
OUT=$(denials)
[ -z "$OUT" ]
result $? 'nothing of this was denied'

# What stays, and what goes with the container.
before=$(lx info -p -H c-dir) init=$(process_label c-dir 1)
other_init() {
	local p
	p=$(lx info -p -H c-dir)
	[ -n "$p" ] && [ "$p" != "$before" ] && [ "$(lx info -s -H c-dir)" = RUNNING ]
}
lx attach c-dir -- reboot
ok 'it reboots from inside' eventually other_init
is "$init" 'into the same context' process_label c-dir 1
lx stop -k c-dir
is "$init" 'execute has it too' sh -c "lxmgr-execute -P $TREE -n c-dir -- cat /proc/self/attr/current | tr -d '\\0'"
says "^[0-9]+ [0-9]+ $TREE/c-dir\$" 'the pair is noted' cat "$VAR/lib/lxmgr/mcs"
lx destroy -q c-dir
status 1 'and given back at the end' grep -F "$TREE/c-dir" "$VAR/lib/lxmgr/mcs"

# A root that was labelled half, or for another.
busybox r -B dir
label=$(lx start --dry-run r | sed -n 's/^selinux: .*:\(s0:c.*\)/system_u:object_r:lxmgr_file_t:\1/p')
is "$label" 'create labels a root' xattr "$TREE/r/rootfs/bin/sh"
chcon -h -t usr_t "$TREE/r/rootfs" "$TREE/r/rootfs/etc/passwd" "$TREE/r/rootfs/bin/sh"
echo secret >"$TREE/.outside"
ln -s "$TREE/.outside" "$TREE/r/rootfs/root/link"
outside=$(xattr "$TREE/.outside")
ok 'a start completes it' lx start r
is "$label" 'the files have the label' xattr "$TREE/r/rootfs/etc/passwd"
is "$label" 'so has a link' xattr "$TREE/r/rootfs/root/link"
is "$outside" 'but not what it leads to' xattr "$TREE/.outside"
lx stop -k r

# Volumes.
mkdir "$TREE/.vol"
echo data >"$TREE/.vol/f"
if is_enforcing; then
	status 1 'a directory of the host is not for it' lx execute -n r -s "lxmgr.mount.entry=$TREE/.vol mnt none bind" -- cat /mnt/f
else
	skip 'a directory of the host is not for it' 'this host is permissive'
fi
is data 'but one that is relabelled' lx execute -n r -s "lxmgr.mount.entry=$TREE/.vol mnt none bind,relabel" -- cat /mnt/f
is "$label" 'it is for this one' xattr "$TREE/.vol/f"
is data 'or for all' lx execute -n r -s "lxmgr.mount.entry=$TREE/.vol mnt none bind,relabel=shared" -- cat /mnt/f
is system_u:object_r:lxmgr_file_t:s0 'with no categories' xattr "$TREE/.vol/f"
says "'/etc' is the system's" 'a directory of the system is never relabelled' lx start -s 'lxmgr.mount.entry=/etc mnt none bind,relabel' r

# Contexts of the user's own.
ok 'one with a context of its own starts' lx start -s "lxmgr.selinux.context=$context" -s lxmgr.selinux.file=system_u:object_r:bin_t:s0 r
is "$context" 'init has it' process_label r 1
is "$context" 'so has an attached command' process_label r self
is system_u:object_r:bin_t:s0 'its files have theirs' file_label r /bin/sh
is "${context%:s0*}:s0" 'attach -c' sh -c "lxmgr-attach -P $TREE -c ${context%:s0*}:s0 r -- cat /proc/self/attr/current | tr -d '\0'"
says 'knows no such context|is no context' 'attach -c with one that is none' lx attach -c a_u:b_r:nosuch_t:s0 r -- true
lx stop -k r
says 'nosuch_t' 'a context that the policy does not know is refused' lx start -s lxmgr.selinux.context=a_u:b_r:nosuch_t:s0 r
is STOPPED 'and nothing runs' lx info -s -H r
ok 'unchanged' lx start -s lxmgr.selinux.context=unchanged r
is "$(tr -d '\0' </proc/self/attr/current)" 'is that of who starts it' process_label r 1
finish

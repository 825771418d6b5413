# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# A host with SELinux on: LXMGR_VM_FLAVOUR=selinux or selinux-enforcing with make check-vm.
. ./lib.sh

busybox a -B dir
context=unconfined_u:unconfined_r:unconfined_t:s0:c1,c2
if [ ! -e /sys/fs/selinux/enforce ]; then
	says 'without SELinux' 'a context is refused' lx start -s "lxmgr.selinux.context=$context" a
	is STOPPED 'and nothing runs' lx info -s -H a
	skip 'contexts' 'this kernel runs without SELinux'
	finish
	exit
fi
# The policy asks that a program which a context starts with is one.
chcon -R -t bin_t "$TREE/a/rootfs/bin"
label() { lx attach a -- cat "/proc/$1/attr/current" | tr -d '\0'; }
ok 'a default container starts' lx start a
lx stop -k a
ok 'one with a context starts' lx start -s "lxmgr.selinux.context=$context" a
is "$context" 'init has it' label 1
is "$context" 'so has an attached command' label self
lx stop -k a
says 'nosuch_t' 'a context that the policy does not know is refused' lx start -s lxmgr.selinux.context=a_u:b_r:nosuch_t:s0 a
is STOPPED 'and nothing runs' lx info -s -H a
finish

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091
# All verbs on the backends that need nothing of the host. The others: 84-loop.sh, 86-btrfs.sh, 87-lvm.sh.
# In machines: check-vm-full.
. ./lib.sh
. ./tree.sh
. ./backends.sh
need python3 zstd jq setfattr setfacl setcap

for backend in dir overlay; do verbs_on $backend; done

# What is best for it, of a template and without one.
backend() { sed -n 's/^backend = //p' "$TREE/$1/storage"; }
ok 'the best there is' busybox best -B best
is overlay 'for an image' backend best
ok 'a copy of it' lx copy -q -B best best same
is overlay 'has the same' backend same
ok 'an import' bash -c "lxmgr-export -P $TREE -q best - | lxmgr-import -P $TREE -q -B best - -n back"
is dir 'has a directory' backend back
for c in best same back; do lx destroy -q $c; done
finish

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091
# All verbs on the backends that need nothing of the host. The others: 84-loop.sh, 86-btrfs.sh, 87-lvm.sh.
# In machines: check-vm-full.
. ./lib.sh
. ./tree.sh
. ./backends.sh
need python3 zstd jq setfattr setfacl setcap

for backend in dir overlay; do verbs_on $backend; done
finish

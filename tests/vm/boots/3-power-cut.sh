# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091
# After a power cut: the same, with nothing in the way of what was left.
. ../vm/boots/boots.sh

ok 'this is another boot' test "$(cat "$KEPT/boot")" != "$(cat /proc/sys/kernel/random/boot_id)"
ok 'all are active' all_active
ok 'with the addresses they had' same_addresses
ok 'the guest is up' patiently guest_up
is '' 'no unit failed' systemctl --failed --no-legend
ok 'it can be stopped' lxmgr-stop web
ok 'disabled' systemctl disable lxmgr@web
ok 'and destroyed' lxmgr-destroy web
end

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Helpers of the SELinux tests.

# What doctor says is to be typed, or nothing.
module_command() { lxmgr-doctor | sed -n 's/.*-> \(semodule -i .*\)/\1/p'; }
module_is_loaded() { [ -z "$(module_command)" ]; }
load_module() {
	local c
	c=$(module_command)
	[ -z "$c" ] || $c
}

# Denials of containers since mark, from wherever the kernel's messages go.
messages() {
	dmesg 2>/dev/null
	cat /var/log/audit/audit.log 2>/dev/null
}
mark() { MARK=$(messages | grep -c 'avc: .*denied'); }
denials() { messages | grep 'avc: .*denied' | tail -n "+$((MARK + 1))" | grep -E 'context=[^ ]*:lxmgr_'; }

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# In machines: check-vm-full.
. ./lib.sh

# The examples of the manual pages are run as they stand there: lines "# COMMAND" in literal blocks.
export PATH
n=0
for page in ../../doc/man/*.scd; do
	while read -r command; do
		n=$((n + 1))
		ok "$(basename "$page" .scd): $command" bash -c "$command"
	done < <(awk '/^# EXAMPLES/ { e = 1 } /^# [A-Z]/ && !/EXAMPLES/ && !l { e = 0 } /^```/ { l = !l; next } e && l && /^# / { print substr($0, 3) }' "$page")
done
ok "there were examples ($n)" test "$n" -gt 30
# One that failed halfway must not stay.
[ ! -e /var/lib/lxmgr/man-example ] || lxmgr-destroy -q -f man-example
finish

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
. ./lib.sh

printf '#!/bin/sh\necho "$3 $LXC_HOOK_TYPE $LXMGR_NAME $LXC_TARGET" >>"%s/.log"\n' "$TREE" >"$TREE/.hook"
chmod 755 "$TREE/.hook"
: >"$TREE/.log"
chmod 666 "$TREE/.log"
busybox a
for h in pre-start pre-mount mount autodev start-host stop post-stop; do
	lxmgr-config -P "$TREE" -n a "lxmgr.hook.$h=$TREE/.hook"
done
ok 'start with hooks' lx start a
lx stop -k a
is 'pre-start pre-mount mount autodev start-host stop post-stop' 'they run in LXC'"'"'s order' bash -c "cut -d' ' -f1 $TREE/.log | paste -sd' '"
is 'pre-start pre-start a ' 'with arguments and both environments' head -n 1 "$TREE/.log"
says 'stop$' 'the target is told' tail -n 1 "$TREE/.log"
lxmgr-config -P "$TREE" -n a "lxmgr.hook.pre-start=/bin/false"
says 'hook pre-start' 'a failing hook is named' lx start a
is 'STOPPED' 'and nothing runs' lx info -s -H a
finish

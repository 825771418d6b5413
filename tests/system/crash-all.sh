# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2034
# All faults of 93-crash.sh (`make check-crash`). As many runs of it as there are processors share its verbs,
# each in networks and mounts of its own: there their containers have the same addresses.
. ./lib.sh

CLAIMS=$TREE/.claims
mkdir "$CLAIMS"
verbs() { ls "$CLAIMS"; }
ended() { grep -q '^1\.\.' "$1"; }
shard() { # shard LOG
	# shellcheck disable=SC2016 # for the inner shell
	env -u TREE LXMGR_TEST_SHARD=1 LXMGR_TEST_CLAIMS="$CLAIMS" LXMGR_TEST_CRASH=all LXMGR_TEST_VERBOSE=1 \
		unshare -m -n --propagation private sh -c 'mkdir -p "$0" && mount -t tmpfs -o mode=755 lxmgr-test "$0" &&
			ip link set lo up && exec bash ./93-crash.sh' "$RUN" >"$1" 2>&1 </dev/null
}
for i in $(seq "$(nproc)"); do
	shard "$TREE/.log.$i" &
done
wait
for i in $(seq "$(nproc)"); do
	OUT=''
	while IFS= read -r line; do
		case $line in
		'ok '*) result 0 "${line#* - }" ;;
		'not ok '*) result 1 "${line#* - }" ;;
		1..*) ;;
		*) echo "$line" ;;
		esac
	done <"$TREE/.log.$i"
	ok "run $i came to its end" ended "$TREE/.log.$i"
done
ok 'there were verbs to do' test "$(verbs | wc -l)" -gt 0
echo "# $(verbs | wc -l) verbs"
finish

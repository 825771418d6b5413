# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Rates of interfaces: lxmgr.net.[i].rate.in and .out, at the start and while it runs.
# As a module it brings two links of its own, which are no leak.
modprobe ifb numifbs=0 2>/dev/null
. ./lib.sh
need jq tc ip strace

key() { lx config -n a "lxmgr.net.0.$1"; }
running() { lx config -n a --running "lxmgr.net.0.$1"; }
link() { lx info a | awk '$1 == "Link:" { print $2 }'; }
# Those of ours; what a host has of its own stays.
ifbs() { ip -br link show type ifb | awk '{ print $1 }' | grep -vxF "$OTHERS"; }
OTHERS=$(ip -br link show type ifb | awk '{ print $1 }')
[ -n "$OTHERS" ] || OTHERS=-
bits() { # bits DEVICE: how many it sends a second; none
	tc -j qdisc show dev "$1" root 2>/dev/null |
		jq -r '.[0] | if .kind == "tbf" then .options.rate * 8 else "none" end' | grep . || echo none
}
rates() { echo "$(bits "$(link)") $(for i in $(ifbs); do bits "$i"; done)"; }

if ! unshare --net sh -c 'ip link add x0 type ifb && tc qdisc add dev x0 root tbf rate 1mbit burst 64k limit 100k' 2>/dev/null; then
	busybox a -s lxmgr.net.0.rate.out=1mbit
	ok 'a kernel without them: a start is refused' bash -c "! lxmgr-start -P '$TREE' a"
	skip 'rates' 'this kernel has no ifb or no tbf'
	finish
	exit
fi

busybox a -s lxmgr.net.0.rate.in=20mbit
ok 'start' lx start a
is '20000000 ' 'it receives as fast as that' rates
is 'lxmgr.net.0.rate.out: default -> 10mbit/65536' 'how fast it sends, while it runs' lx set a --rate-out 10mbit/64K
is '20000000 10000000' 'the kernel has both' rates
is '10mbit/65536 10mbit/65536' 'and both configs' echo "$(key rate.out) $(running rate.out)"
is 'lxmgr.net.0.rate.in: 20mbit -> 1500kbit' 'a dry run tells' lx set a --rate-in 1.5mbit --dry-run
is '20000000 10000000' 'and changes nothing' rates
is '{"key":"lxmgr.net.0.rate.in","old":"20mbit","value":"1500kbit"}' 'as JSON' \
	bash -c "lxmgr-set -P $TREE --json a --rate-in 1.5mbit | jq -c '.changes[]'"
is '1500000 10000000' 'it holds' rates
host=$(lx info -H -i a | head -n 1 | sed 's/\.[0-9]*$/.1/')
ok 'the host is reached' lx attach a -- ping -c 2 -W 5 "$host"
ok 'and it from there' ping -c 2 -W 5 "$(lx info -H -i a | head -n 1)"

# What is more than may wait is dropped, which is told.
of() { lx usage --json a | jq -r --arg r "$1" ".[0].resources[] | select(.resource == \$r) | .$2"; }
lx set -q a --rate-out 100kbit/16K
lx attach a -- sh -c 'for i in 1 2 3 4 5 6 7 8; do ping -c 200 -i 0.01 -s 1400 -W 1 "$1" >/dev/null & done; wait' x "$host"
ok 'packets were dropped' test "$(of rate.out fails)" -gt 0
ok 'others were not' test "$(of rate.out current)" -gt 16384
is 'null' 'nor is there a limit of bytes' of rate.out limit
is "$(of rate.out fails)" 'the container sees that' bash -c "lxmgr-attach -P $TREE a -- awk '\$1 == \"rate.out\" { print \$6 }' /dev/lxmgr/usage"
lx set -q a --rate-out 10mbit/64K

# What is forged is dropped before, and uses none of the rate.
sent() { tc -s -j qdisc show dev "$(ifbs)" root | jq '.[0].bytes'; }
before=$(sent)
ok 'what it sends counts' lx attach a -- ping -c 3 -i 0.2 -s 1200 -W 5 "$host"
ok 'in the link beside' test $(($(sent) - before)) -ge 3600
lx attach a -- ip addr add 203.0.113.7/32 dev eth0
before=$(sent)
status 1 'with an address that is not its own nobody answers' lx attach a -- ping -I 203.0.113.7 -c 20 -i 0.1 -s 1200 -W 1 "$host"
ok 'and it does not count' test $(($(sent) - before)) -lt 12000
lx attach a -- ip addr del 203.0.113.7/32 dev eth0

# What is refused, is with all that goes with it.
for value in 7kbit 2000gbit fast 10mbit/1K 10mbit/many 10mb -1mbit; do
	status 1 "'$value' is no rate" lx set a --pids 77 --rate-in "$value"
done
says 'no rate from 8kbit to 1000gbit' 'which is said' lx set a --rate-in fast
is '1500000 10000000' 'and all is as it was' rates
for call in fsync renameat; do
	hits=0
	before="$(rates) $(md5sum <"$TREE/a/config") $(running rate.in)"
	for at in $(places 1 2 3); do
		strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=EIO:when=$at" \
			lxmgr-set -P "$TREE" -q a --rate-in 3mbit --rate-out= --pids 99 >/dev/null 2>&1 && continue
		OUT="$(rates) $(md5sum <"$TREE/a/config") $(running rate.in)"
		[ "$OUT" = "$before" ]
		result $? "$call $at fails: all is as before"
		hits=$((hits + 1))
	done
	ok "$call can fail" test "$hits" -gt 0
done
lx set -q a --rate-in 1.5mbit --rate-out 10mbit/64K

# None, and again.
ok 'none' lx set -q a --rate-in max --rate-out=
is 'none ' 'is none' rates
ok 'the host is reached' lx attach a -- ping -c 1 -W 5 "$host"
ok 'one way alone' lx set -q a --rate-out 5mbit
is 'none 5000000' 'the kernel has it' rates
ok 'faster than its number' lx set -q a --rate-out 40gbit
is 'none 40000000000' 'the kernel has that' rates

# It goes with the container, whatever ends that.
old=$(ifbs)
lx attach a -- reboot -f
again() { [ -n "$(ifbs)" ] && [ "$(ifbs)" != "$old" ] && [ "$(lx info -s -H a)" = RUNNING ]; }
ok 'a reboot from inside makes a new one' eventually again
is 'none 40000000000' 'as fast' rates
is 1 'and leaves no old one' bash -c "ip -br link show type ifb | awk '{ print \$1 }' | grep -cvxF '$OTHERS'"
lx stop -k a
is '' 'stopped there is none' ifbs
lx start a
is 'none 40000000000' 'the next start has it' rates
kill -9 "$(lx info --json a | jq .monitor_pid)"
lx stop -k a
is '' 'none either where the monitor was killed' ifbs
lx start a
old=$(ifbs)
lx info --json a | jq -r '.monitor_pid, .pid' | xargs kill -9
stopped() { [ "$(lx info -s -H a)" = STOPPED ]; }
ok 'killed with its monitor it is stopped' eventually stopped
ok 'it starts' lx start a
is 1 'without the old one' bash -c "ip -br link show type ifb | awk '{ print \$1 }' | grep -cvxF '$OTHERS'"
lx stop -k a
for step in network ready exec; do
	LXMGR_FAIL_AT=$step lx start a 2>/dev/null
	is '' "a start that fails at $step leaves none" ifbs
done

# Interfaces without an end on the host.
busybox b
lx config -n b lxmgr.net.0.type=empty
lx config -n b lxmgr.net.0.rate.in=1mbit
status 1 'an interface of type empty' lx start b
says 'lxmgr.net.0.rate.in cannot act .*type empty' 'is refused by its key' lx start b
status 1 'nor is it set' lx set b --rate-out 1mbit
finish

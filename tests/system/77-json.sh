# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Whatever prints JSON prints JSON, also for awkward values; doctor and checkconfig make sense.
# In machines: check-vm-full.
. ./lib.sh
need python3

json() { # json NAME COMMAND...
	local name=$1
	shift
	OUT=$("$@" 2>&1 </dev/null | python3 -m json.tool 2>&1 >/dev/null)
	[ "${PIPESTATUS[0]}" = 0 ] && [ -z "$OUT" ]
	result $? "$name"
}
is '1' 'control: what is no JSON is found' bash -c "echo '{' | python3 -m json.tool >/dev/null 2>&1; echo \$?"
busybox a -s 'lxmgr.description=say "hi" \ {}[], ü €' -s 'lxmgr.group=g"\'
busybox b
busybox broken
echo 'garbage "\' >"$TREE/broken/config"
# Every tool that offers it.
tools=''
for t in "$(dirname "$(command -v lxmgr-ls)")"/lxmgr-*; do
	"$t" --help 2>/dev/null | grep -q -- '--json' && tools="$tools ${t##*/lxmgr-}"
done
is ' autostart checkconfig config disk doctor export host image info ls monitor mount pid plan reinstall set setup snapshot usage' 'these offer it' echo "$tools"
json 'reinstall' lx reinstall --json -t busybox b
json 'plan, list' lxmgr-plan --json list
json 'host' lxmgr-host -P "$TREE" --json
json 'image, list' lxmgr-image --json list
lxmgr-image -q -P "$TREE" publish b --as "json-$$"
json 'image, verify' lxmgr-image --json verify "json-$$"
is '[true,null]' 'is it good?' bash -c "lxmgr-image --json verify json-$$ | jq -c '.[0] | [.good, .error]'"
is '[false,true]' 'of one that there is not' bash -c "lxmgr-image --json verify nosuch-$$ 2>/dev/null | jq -c '.[0] | [.good, (.error | length > 0)]'"
json 'image, refresh of none' lxmgr-image --json refresh --every --offline
is "json-$$" 'image, delete' bash -c "lxmgr-image --json delete json-$$ | jq -r .deleted"
json 'mount, of none' lx mount --json
mkdir "$TREE/.at \"ü\" {}"
json 'mount' lx mount --json b "$TREE/.at \"ü\" {}"
json 'mount, of one' lx mount --json
ok 'umount' lx umount b
ok 'export' lx export -q b --incremental "$TREE/.backups"
json 'export, list' lx export --json --list "$TREE/.backups"
is 'b' 'of whom' bash -c "lxmgr-export --json --list $TREE/.backups | jq -r '.[0].name'"
rm -r "$TREE/.backups"
for when in stopped running frozen; do
	[ $when != running ] || lx start a
	[ $when != frozen ] || lx freeze a
	json "ls, $when" lx ls --json
	json "info, $when" lx info --json a
	json "disk, $when" lx disk --json a
	json "info -S, $when" lx info --json -S a
	json "info -c, $when" lx info --json -c lxmgr.description a
	json "config, $when" lxmgr-config -P "$TREE" --json -n a lxmgr.group
	is "${when^^}" "info --json tells $when" bash -c "lxmgr-info -P $TREE --json a | jq -r .state"
done
lx unfreeze a
json 'ls of nothing' lx ls --json nosuch
is '[]' 'is an empty list' bash -c "lxmgr-ls -P $TREE --json nosuch | jq -c ."
json 'ls of a column' lx ls --json -F NAME,STATE
is '["a","b","broken"]' 'ls --json has the broken one too' bash -c "lxmgr-ls -P $TREE --json | jq -c '[.[].name]'"
is 'BROKEN' 'as such' bash -c "lxmgr-ls -P $TREE --json | jq -r '.[2].state'"
json 'info of the broken one' lx info --json broken
json 'the host-wide settings' lxmgr-config --json -l
json 'the keys' lxmgr-config --json -l -n a
says '^say "hi" \\ \{\}\[\], ü €$' 'a value comes through' bash -c "lxmgr-info -P $TREE --json -c lxmgr.description a | jq -r '.. | strings'"
is "$(lx info -p -H a)" 'the pid is a number' bash -c "lxmgr-info -P $TREE --json a | jq '.init_pid // .pid'"
OUT=$(
	timeout 3 lxmgr-monitor -P "$TREE" --json a >"$TREE/.m" &
	sleep 1
	lx stop -k a
	wait
	python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$TREE/.m" 2>&1
)
result "$([ -z "$OUT" ] && [ -s "$TREE/.m" ]; echo $?)" 'monitor: a line is an object'

# doctor: each finding has a name, a verdict of a known kind, and a cure where it is not good.
json 'doctor' lxmgr-doctor --json
json 'checkconfig' lxmgr-checkconfig --json
for t in doctor checkconfig; do
	keys=$("lxmgr-$t" --json | jq -r '.[0] | keys | join(" ")')
	OUT=$keys
	case " $keys " in *' name '* | *' what '*) ;; *) false ;; esac
	result $? "$t: a finding has a name"
	is '0' "$t: all have the same keys" bash -c "lxmgr-$t --json | jq '[.[] | keys | join(\" \")] | unique | length - 1'"
	is '0' "$t: no name twice" bash -c "lxmgr-$t --json | jq '(map(.name // .what) | length) - (map(.name // .what) | unique | length)'"
	is "$("lxmgr-$t" --json | jq length)" "$t: a line for each finding in text" bash -c "lxmgr-$t | grep -cE '^  (ok     |notice |MISSING) '"
	is '0' "$t: no colours without a terminal" bash -c "lxmgr-$t | grep -c \$'\\033'"
	says $'\033' "$t: but on one" script -qec "lxmgr-$t" /dev/null
	is '0' "$t: none with NO_COLOR" bash -c "NO_COLOR=1 script -qec lxmgr-$t /dev/null | grep -c \$'\\033'"
done
finish

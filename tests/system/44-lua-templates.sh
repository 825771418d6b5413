# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# Templates in Lua: what they declare, what they may do, and what hostile ones may not.
# In machines: check-vm-full.
. ./lib.sh
need python3 curl luac5.4 jq

# Of this test's own templates alone: the cache is everybody's.
images() {
	grep -ls "$TREE" "$CACHE"/*/meta
	ls -d "$CACHE"/.*.new/rootfs/etc/made 2>/dev/null
}
busybox seed
WWW=$TREE/.www
mkdir -p "$WWW"
python3 ./www.py "$WWW" >/dev/null 2>&1 &
server=$!
eventually test -e "$WWW/.port"
URL=http://127.0.0.1:$(cat "$WWW/.port")
export URL WWW

T=$TREE/.t.lua
tmpl() { # tmpl BODY: of build(t)
	printf 'return { summary = "A test.", options = {\n\t{ name = "file", type = "file", help = "a file" },\n\t{ name = "many", type = "list", help = "words" },\n\t{ name = "yes", type = "flag", help = "a flag" },\n}, build = function(t)\nlocal URL, TREE = "%s", "%s"\n%s\nend }\n' "$URL" "$TREE" "$1" >"$T"
	chmod 644 "$T"
}
create() { # create [OPTIONS]
	timeout 120 lxmgr-create -P "$TREE" -q -t "$T" -n x "$@"
}
root='lxmgr.mkdir("/bin"); lxmgr.mkdir("/etc"); lxmgr.write("/etc/made", "by lua\n")'
# refused PATTERN NAME BODY [OPTIONS]: it fails with that, and nothing stays.
refused() {
	local want=$1 name=$2
	tmpl "$root"$'\n'"$3"
	shift 3
	had=$(images)
	says "$want" "$name" create "$@"
	left() {
		find "$TREE" -mindepth 1 -maxdepth 1 -name '*x*' ! -name '.*.lua'
		diff <(images) <(printf '%s\n' "$had")
		pgrep -f 'lxmgr-lua.*/\.t\.lua'
	}
	gone() { [ -z "$(left)" ]; }
	OUT=
	eventually gone || { OUT=$(left); result 1 "nothing stays: $name"; }
}
# works NAME BODY [OPTIONS]: a container is made, and destroyed.
works() {
	local name=$1
	tmpl "$root"$'\n'"$2"
	shift 2
	OUT=$(create "$@" 2>&1)
	result $? "$name"
	lx destroy -q -f x >/dev/null 2>&1
}

# What an argument names: a word that is a file's name by chance, and a directory that changes.
mkdir -p "$TREE/.in/edge/deep"
echo one >"$TREE/.in/edge/deep/file"
works 'a word is a word, whatever is called so here' 'if t.opt.many[1] ~= "edge" then error("it is " .. t.opt.many[1]) end' -- --many edge
cd "$TREE/.in" || exit 1
works 'also where that is a directory' 'if t.opt.many[1] ~= "edge" then error("it is " .. t.opt.many[1]) end' -- --many edge
works 'a file is found from there' 'if t.open(t.opt.file) ~= true then error("no") end' -- --file edge
cd - >/dev/null || exit 1
tmpl "$root"$'\n''t.unpack(t.opt.file)'
base() { sed -n 's/^base = //p' "$TREE/x/storage"; }
lx destroy -q -f x >/dev/null 2>&1
create -- --file "$TREE/.in" && first=$(base) && lx destroy -q -f x
create -- --file "$TREE/.in" && OUT=$(base) && lx destroy -q -f x
[ -n "$first" ] && [ "$OUT" = "$first" ]
result $? 'the same directory is the same image'
echo two >"$TREE/.in/edge/deep/file"
create -- --file "$TREE/.in"
is two 'another file in the depth of it is another' cat "$CACHE/$(base)/rootfs/edge/deep/file"
lx destroy -q -f x

# The example of the manual page, as it stands there.
page=../../doc/man/lxmgr-templates.7.scd
awk '/^# LUA TEMPLATES/ { e = 1 } e && /^```/ { l = !l; if (!l) exit; next } e && l' "$page" >"$TREE/.example.lua"
ok 'the example of lxmgr-templates(7) is there' grep -q 'build = function' "$TREE/.example.lua"
says '--greeting TEXT' 'its help comes from the declaration' lxmgr-create -t "$TREE/.example.lua" --help
says 'default: hello' 'with the defaults' lxmgr-create -t "$TREE/.example.lua" --help
ok 'it makes a container' lx create -q -t "$TREE/.example.lua" -n ex -- --busybox "$(type -P busybox)" --greeting 'good morning'
ok 'that starts' lx start ex
is 'good morning' 'with what the option said' lx attach ex -- cat /etc/motd
is 'guest:x:1000:1000:A guest:/home/guest:/bin/sh' 'its user is there' lx attach ex -- grep guest /etc/passwd
says '^guest:\$6\$' 'with a password' lx attach ex -- grep guest /etc/shadow
ok 'and it stops when it is told, by the signal that the template names' lx stop -t 30 ex
is SIGUSR2 'which is in its config' lxmgr-config -P "$TREE" -n ex lxmgr.signal.halt
lx destroy -q ex

# Options.
refused "unknown option '--none'" 'an unknown option' '' -- --none 1
refused "'--file' needs a value" 'an option without its value' '' -- --file
refused 'takes no value' 'a flag with a value' '' -- --yes=1
refused "is no list" 'a word with a blank' '' -- --many 'a b'
works 'lists add up, flags are true' 'assert(table.concat(t.opt.many, "|") == "a|b|c"); assert(t.opt.yes == true); assert(t.name == "x")' -- --many a,b --many=c --yes
printf 'one\n' >"$TREE/.one"
works 'a file is read that the user names' 'assert(t.open(t.opt.file):read() == "one\n")' -- --file "$TREE/.one"
cd "$TREE" || exit
works 'also by a name without its directory' 'assert(t.open(t.opt.file):read() == "one\n")' -- --file .one
cd - >/dev/null || exit
tmpl "$root"'
lxmgr.write("/etc/one", t.open(t.opt.file):read())'
ok 'an image of a file' create -- --file "$TREE/.one"
lx destroy -q x
printf 'two\n' >"$TREE/.one"
ok 'is another one when the file is' create -- --file "$TREE/.one"
is two 'and has what is in it now' cat "$(lx info x --json | jq -r .image | sed "s,.*,$CACHE/&/rootfs/etc/one,")"
lx destroy -q x

works 'services of systemd' '
lxmgr.mkdir("/usr/lib/systemd/system"); lxmgr.write("/usr/lib/systemd/system/one.service", "")
local link = "/etc/systemd/system/multi-user.target.wants/one.service"
t.service("one"); t.service("one.service"); assert(lxmgr.stat(link, true).target == "/usr/lib/systemd/system/one.service")
t.service("one", false); assert(not lxmgr.stat(link)); t.service("one", false)'
works 'and of OpenRC' '
lxmgr.mkdir("/etc/init.d"); lxmgr.write("/etc/init.d/one", "", 493)
t.service("one"); assert(lxmgr.stat("/etc/runlevels/default/one", true).target == "/etc/init.d/one")
t.service("one", false); assert(not lxmgr.stat("/etc/runlevels/default/one"))'
refused "no service 'two'" 'one that there is not' 't.service("two")'
refused 'is no name' 'a path' 't.service("../two")'

# What a hostile one tries. The host's side refuses, whatever the script did to its own side.
works 'there is nothing of Lua that leads out' '
for _, name in ipairs { "io", "os", "package", "debug", "coroutine", "load", "loadstring", "loadfile", "dofile", "collectgarbage" } do
	assert(_G[name] == nil, name)
end
assert(string.dump == nil)'
works 'require knows the templates'"'"' modules alone' '
for _, name in ipairs { "io", "os", "debug", "package", "ffi", "lxmgr", "/etc/passwd", "../../etc/passwd" } do
	local ok, why = pcall(require, name)
	assert(not ok and why:find("no module"), name)
end'
refused 'no file that was named' 'a file of the host' 't.open("/etc/shadow")'
refused 'no file that was named' 'also with a file named' 't.open("/etc/shadow")' -- --file "$TREE/.one"
refused 'no directory that was named' 'a directory of the host' 't.unpack("/etc")'
for key in lxmgr.hook.pre-start lxc.rootfs.path; do
	tmpl "$root"$'\n'"t.config('$key', '/bin/true')"
	says 'may not set' "the key $key" create
	ok 'and there is no container' test ! -e "$TREE/x"
done
refused 'newline' 'a second line in a value' 't.config("lxmgr.signal.halt", "SIGPWR\nlxmgr.hook.pre-start = /bin/true")'
refused 'newline|control' 'a carriage return in a value' 't.config("lxmgr.signal.halt", "SIGPWR\rx")'
refused 'no config key' 'a newline in a key' 't.config("lxmgr.hook.start = x\nlxmgr.arch", "x")'
refused 'NUL' 'a NUL in a value' 't.config("lxmgr.arch", "x86_64\0y")'
refused 'too long' 'a config without end' 'for i = 1, 1e6 do t.config("lxmgr.arch", ("x"):rep(1000)) end'
refused 'newline' 'checks of its own side that it took away' '
local s = getmetatable("").__index
s.find = function() return nil end; s.match = s.find; s.gsub = s.find; s.format = function(f) return f end
string.find = s.find; error = function() end
lxmgr.config("lxmgr.signal.halt", "SIGPWR\nlxmgr.hook.pre-start = /bin/true")'
works 'the metatable of strings is the script'"'"'s own' '
getmetatable("").__index = function() return print end; getmetatable("").__gc = print'
works 'objects of the host do not give their metatables' '
local f = t.open(t.opt.file)
assert(getmetatable(f) == "lxmgr.file"); assert(not pcall(setmetatable, f, {}))
assert(not pcall(f.read, {})); assert(not pcall(f.read, io)); assert(not pcall(f.read, f, -1)); assert(not pcall(f.read, f, 1, 1 << 40))
f:close(); assert(not pcall(f.read, f)); f:close()' -- --file "$TREE/.one"
luac5.4 -o "$T" - <<<'return { summary = "x", build = function() end }'
chmod 644 "$T"
says 'binary chunk' 'bytecode' create
tmpl "$root"
chmod 666 "$T"
says 'nobody else can write' 'a template that others can write' create
printf 'return { summary = "x", biuld = 1, build = function() end }' >"$T"
chmod 644 "$T"
says "declares 'biuld'" 'a declaration with a mistake' create
printf 'return 7' >"$T"
says 'must return a table' 'no declaration' create
printf 'while true do end' >"$T"
says 'killed after|processor time' 'help that never ends' timeout 60 lxmgr-create -t "$T" --help
printf 'return { summary = "a\\27]0;x\\7b", build = function() end }' >"$T"
says 'a\\x1b' 'help with control characters' lxmgr-create -t "$T" --help

# Limits.
refused 'killed after 2 s' 'an endless loop' 'while true do end' --timeout 2
refused 'killed after 2 s' 'one that catches its errors' 'while true do pcall(error) end' --timeout 2
refused 'killed after 2 s' 'one inside a pattern' 'local s = ("a"):rep(1e6) return s:find((".-"):rep(20) .. "b")' --timeout 2
refused 'not enough memory' 'a memory hog' 'local s = {} for i = 1, 1e9 do s[i] = ("x"):rep(1e6) .. i end'
refused 'not enough memory|too large|overflow' 'one big string' 'return ("x"):rep(1e12)'
refused 'overflow' 'a recursion without end' 'local function f() return 1 + f() end f()'
refused 'killed after 2 s' 'a program that hangs' '
lxmgr.write("/bin/busybox", t.open(t.opt.file):read(), tonumber("755", 8))
t.run { "/bin/busybox", "sleep", "1000" }' --timeout 2 -- --file "$(type -P busybox)"
refused 'killed after 2 s' 'an answer that never ends' 't.fetch(URL .. "/endless", { unchecked = true })' --timeout 2

# Paths: a link leads nowhere but into the root.
mkdir "$TREE/.canary"
works 'links to the host lead into the root' '
lxmgr.symlink(TREE .. "/.canary", "/out")
lxmgr.symlink("../../../../../../../../../.." .. TREE .. "/.canary", "/up")
assert(not pcall(lxmgr.write, "/out/a", "x")); assert(not pcall(lxmgr.write, "/up/a", "x"))
assert(not pcall(lxmgr.write, "/../../../../../../../.." .. TREE .. "/.canary/a", "x"))
assert(not pcall(lxmgr.mkdir, "/out/a")); assert(not lxmgr.exists("/out")); assert(not lxmgr.list("/out"))
assert(not lxmgr.read("/out/a")); assert(not lxmgr.read("/proc/self/environ"))
assert(not pcall(lxmgr.remove, "/out/../..", true))
assert(not pcall(t.unpack, t.open(t.opt.file), { to = "/out" }))
lxmgr.symlink("/etc", "/e"); lxmgr.write("/e/inside", "x"); assert(lxmgr.read("/etc/inside") == "x")' -- --file "$TREE/.one"
is '' 'nothing was written there' ls -A "$TREE/.canary"
refused 'root directory .* writable|belongs to user' 'a root that others can write' 'lxmgr.chmod("/", tonumber("777", 8))'
refused 'root directory .* writable|belongs to user' 'a root of another user' 'lxmgr.chown("/", 1000, 1000)'

# The net: only http and https, whatever leads there.
printf 'payload\n' >"$WWW/file"
sum=$(sha256sum "$WWW/file" | cut -d' ' -f1)
works 'a file with its digest' "local f = t.fetch(URL .. '/file', { sha256 = '$sum' }); assert(f:read() == 'payload\n')"
works 'redirected, too' "t.fetch(URL .. '/to/' .. URL .. '/file', { sha256 = '$sum' })"
refused 'the digest is' 'another digest' 't.fetch(URL .. "/file", { sha256 = ("0"):rep(64) })'
refused 'without a digest' 'none' 't.fetch(URL .. "/file")'
refused 'not checked' 'what was not checked is not unpacked' 't.unpack(t.fetch(URL .. "/file", { unchecked = true }))'
works 'other protocols are refused, and redirections to them' '
for _, url in ipairs { "file:///etc/passwd", "FILE:///etc/passwd", "/etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x",
	"-o/etc/x", "http://a b/", "http://a\nb/", "scp://x/", "" } do
	local ok, why = pcall(t.fetch, url, { unchecked = true })
	assert(not ok and why:find("no http or https address"), url .. why)
end
for _, url in ipairs { "file:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/x", "dict://127.0.0.1/x" } do
	local ok, why = pcall(t.fetch, URL .. "/to/" .. url, { unchecked = true })
	assert(not ok and (why:find("not supported") or why:find("disabled")), url .. tostring(why))
end'
refused 'redirect' 'redirections without end' 't.fetch(URL .. "/to//to//to//to//to//to//to//to/x", { unchecked = true })'
refused '404' 'what is not there' 't.fetch(URL .. "/none", { unchecked = true })'
refused 'longer|[Mm]aximum|exceed' 'more than the limit' 't.fetch(URL .. "/file", { unchecked = true, limit = 3 })'
refused 'longer|[Mm]aximum|exceed' 'also of unknown length' 't.fetch(URL .. "/endless", { unchecked = true, limit = 300000 })'

# Programs in the root: without the host.
in_root='lxmgr.write("/bin/busybox", t.open(t.opt.file):read(), tonumber("755", 8))
local function sh(text) local _, out = t.run { "/bin/busybox", "sh", "-c", text, capture = true }; return out end
'
run_in_root() { # run_in_root NAME BODY
	works "$1" "$in_root$2" -- --file "$(type -P busybox)"
}
run_in_root 'a program sees the root' 'assert(sh("cat /etc/made") == "by lua\n"); assert(sh("pwd") == "/\n")'
run_in_root 'no process of the host' 'for n in sh("ls /proc"):gmatch("%d+") do assert(tonumber(n) < 10) end'
run_in_root 'no network' 'assert(not sh("ip -o link; true"):find("eth0"))
assert(t.run { "/bin/busybox", "wget", "-T", "2", "-q", "-O", "-", URL .. "/file", may_fail = true } ~= 0)'
run_in_root 'no knob of the host' 'assert(not lxmgr.exists("/proc/sys")); assert(sh("ls /sys 2>/dev/null; ls /proc/sys 2>/dev/null; true") == "")'
run_in_root 'no power over it' '
local caps = tonumber(sh("grep CapEff /proc/self/status"):match("%x+\n"), 16)
for _, cap in ipairs { 2, 12, 16, 17, 19, 21, 22, 25, 27, 30, 38, 39, 40 } do assert(caps & 1 << cap == 0, cap) end
assert(t.run { "/bin/busybox", "mount", "-t", "tmpfs", "x", "/etc", may_fail = true } ~= 0)
assert(t.run { "/bin/busybox", "unshare", "-U", "/bin/busybox", "true", may_fail = true } ~= 0)
assert(t.run { "/bin/busybox", "mknod", "/etc/sda", "b", "8", "0", may_fail = true } ~= 0)
assert(sh("grep NoNewPrivs /proc/self/status"):find("1"))'
run_in_root 'what it leaves running ends with it' 'sh("sleep 987 & sleep 987 & true")'
is '' 'on the host, too' pgrep -f 'sleep 987'
run_in_root 'a status and its output come back' 'local s, out = t.run { "/bin/busybox", "sh", "-c", "echo a; exit 3", capture = true, may_fail = true }
assert(s == 3 and out == "a\n")
assert(not pcall(t.run, { "/bin/busybox", "false" }))
local _, env = t.run { "/bin/busybox", "env", capture = true, env = { "A=b" } }; assert(env:find("A=b\n"))'

# Interrupted.
had=$(images)
tmpl "$root"'
lxmgr.log("progress: 500 here") while true do end'
for sig in INT TERM HUP; do
	lxmgr-create -P "$TREE" -q -t "$T" -n x >/dev/null 2>&1 &
	pid=$!
	eventually pgrep -f 'lxmgr-lua.*/\.t\.lua'
	kill "-$sig" $pid
	wait $pid
	OUT="status $?"
	[ "$OUT" != 'status 0' ]
	result $? "SIG$sig ends a create"
	eventually gone
	OUT=$(left)
	[ -z "$OUT" ]
	result $? "nothing stays: SIG$sig"
done

kill $server
wait $server 2>/dev/null
finish

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016
# The Lua module: scripts do with containers what the tools do.
# In machines: check-vm-full.
. ./lib.sh
need lua5.4

# lua NAME SCRIPT: it ends well. In it: the module, the test's tree, and a check that names what differs.
prelude='local lxmgr = require "lxmgr"
local P = {path = os.getenv("TREE")}
local function eq(have, want)
	if have ~= want then error(string.format("%q in place of %q", tostring(have), tostring(want)), 2) end
end
local function fails(status, like, ok, why, code)
	eq(ok, nil); eq(code, status)
	if not why:find(like) then error("said: " .. why, 2) end
end
'
lua() {
	ok "$1" lua5.4 -e "$prelude$2"
}

is "$(lxmgr --version | awk '{ print $NF }')" 'version' lua5.4 -e 'print(require("lxmgr").version())'
lua 'no container: a list of none' 'eq(#assert(lxmgr.list(P)), 0)'
lua 'open of what is not there' 'fails(3, "none", lxmgr.open("none", P))'
lua 'a name that is none' 'fails(64, "container name", lxmgr.create("../x", {path = P.path, template = "busybox"}))'
lua 'create, with progress and defines' '
local n, last = 0, 0
local c, notice = assert(lxmgr.create("a", {path = P.path, template = "busybox", flush_cache = true,
	define = {["lxmgr.limit.pids"] = 77, "lxmgr.group=web", "lxmgr.group=db"},
	progress = function(text, permille) n = n + 1; last = permille or last end}))
eq(notice, nil); eq(c:name(), "a"); eq(c:path(), P.path); eq(c:state(), "STOPPED")
eq(c:get("lxmgr.limit.pids"), "77"); eq(c:get("lxmgr.group"), "web\ndb")
assert(n >= 3); eq(last, 1000)
eq(tostring(c), "lxmgr container '"'a'"'")'
lua 'what is there already is refused' 'fails(4, "exists", lxmgr.create("a", {path = P.path, template = "busybox"}))'
lua 'an error in the progress function is raised, and the tree is as it was' '
local ok, why = pcall(lxmgr.create, "b", {path = P.path, template = "none", progress = function() error("mine") end})
if not ok then assert(why:find("mine")) else assert(lxmgr.open("b", P)):destroy() end
ok, why = pcall(lxmgr.create, "b", {path = P.path, template = "busybox", flush_cache = true, progress = function() error("mine") end})
eq(ok, false); assert(why:find("mine"))
local b = lxmgr.open("b", P)
if b then assert(b:destroy()) end'
lua 'start, state, info, wait' '
local c = assert(lxmgr.open("a", P))
assert(c:start()); eq(c:state(), "RUNNING"); eq(c:wait("RUNNING|FROZEN", 5), "RUNNING")
local i = assert(c:info())
eq(i.name, "a"); eq(i.state, "RUNNING"); eq(i.groups, "web,db"); assert(i.pid > 1); eq(i.pids_limit, 77)
eq(i.id_count, 65536); eq(i.links[1].interface, "eth0")
fails(4, "running", c:start())
fails(1, "after", c:wait("STOPPED", 0.2))'
is RUNNING 'the tools see the same' lx info a -s -H
lua 'attach: status, output, input, environment' '
local c = assert(lxmgr.open("a", P))
local status, out = c:attach({"sh", "-c", "echo out; echo err >&2; exit 7"}, {capture = true})
eq(status, 7); eq(out, "out\nerr\n")
status, out = c:attach({"cat"}, {capture = true, input = ("x"):rep(300000)})
eq(status, 0); eq(#out, 300000)
status, out = c:attach({"cat"}, {capture = true}); eq(out, ""); eq(status, 0)
status, out = c:attach({"sh", "-c", "echo $A-$HOST"}, {capture = true, env = {A = "b c"}}); eq(out, "b c-\n")
status, out = c:attach({"id", "-u"}, {capture = true, uid = 33, gid = 33}); eq(out, "33\n")
fails(127, "no%-such%-command", c:attach({"no-such-command"}, {capture = true}))
eq(c:attach({"true"}), 0)
-- What it left running does not hold the script.
status, out = c:attach({"sh", "-c", "sleep 300 & echo here"}, {capture = true}); eq(out, "here\n")
status, out = c:attach({"kill", "-l"}, {capture = true}); eq(status, 0)'
lua 'a command that never stops talking is ended at the limit' '
local c = assert(lxmgr.open("a", P))
fails(125, "limit", c:attach({"yes"}, {capture = true, limit = 100000}))
local _, out = c:attach({"ps"}, {capture = true})
for line in out:gmatch("[^\n]+") do assert(not line:find(" yes$"), out) end'
is $'one\ntwo' 'without capture it writes where the script does' lua5.4 -e \
	"$prelude"'io.write("one\n"); assert(lxmgr.open("a", P)):attach{"echo", "two"}'
is 'from the script' 'and reads what the script reads' bash -c \
	'echo from the script | lua5.4 -e '"'$prelude"'assert(lxmgr.open("a", P)):attach{"cat"}'"'"
lua 'freeze, unfreeze' '
local c = assert(lxmgr.open("a", P))
assert(c:freeze()); eq(c:state(), "FROZEN")
fails(4, "frozen", c:attach({"true"}, {capture = true}))
assert(c:unfreeze()); eq(c:state(), "RUNNING")'
lua 'set, get, clear; running and saved' '
local c = assert(lxmgr.open("a", P))
assert(c:set("lxmgr.limit.pids", 55)); eq(c:get("lxmgr.limit.pids"), "55"); eq(c:get_running("lxmgr.limit.pids"), "77")
assert(c:clear("lxmgr.group")); eq(c:get("lxmgr.group"), "")
assert(c:set("lxmgr.start.auto", true)); eq(c:get("lxmgr.start.auto"), "1")
fails(1, "unknown key", c:get("no.such"))
fails(1, "", c:set("lxmgr.limit.pids", "many"))'
ok 'a value with a newline becomes no key' lua5.4 -e "$prelude"'
local c = assert(lxmgr.open("a", P))
local ok, why = c:set("lxmgr.uts.name", "x\nlxmgr.hook.pre-start = /bin/true")
eq(ok, nil)'
is '' 'and no line is in the config' grep hook "$TREE/a/config"
lua 'cgroup' 'local c = assert(lxmgr.open("a", P)); assert(c:cgroup("cgroup.procs"))'
lua 'restart' '
local c = assert(lxmgr.open("a", P))
local before = c:info().pid
assert(c:restart{kill = true}); assert(c:info().pid ~= before); eq(c:get_running("lxmgr.limit.pids"), "55")'
lua 'a script may start for years: no child of its own is left' '
local c = assert(lxmgr.open("a", P))
assert(c:stop{kill = true}); assert(c:start()); assert(c:stop{kill = true})
local f = io.open("/proc/thread-self/children"); eq(f:read("a"), "")'
lua 'stop of what does not run' '
local c = assert(lxmgr.open("a", P))
fails(2, "not running", c:stop()); assert(c:stop{if_running = true})
local plan = assert(c:start{dry_run = true}); assert(plan:find("namespaces"), plan); eq(c:state(), "STOPPED")'
lua 'a start that fails says why, and is told to the script' '
local c = assert(lxmgr.open("a", P))
fails(1, "br%-none", c:start{define = {["lxmgr.net.0.type"] = "veth", ["lxmgr.net.0.link"] = "br-none"}})'
lua 'autostart' '
local list = assert(lxmgr.autostart_list(P))
eq(#list, 1); eq(list[1].name, "a"); eq(list[1].autostart, true); eq(#list[1].after, 0)
local heard = ""
eq(lxmgr.autostart{path = P.path, done = function(name, why) heard = heard .. name .. tostring(why) end}, 0)
eq(heard, "anil")
eq(#assert(lxmgr.autostart_list(P)), 0)
eq(lxmgr.autostart{path = P.path, action = "kill"}, 0)
eq(assert(lxmgr.open("a", P)):state(), "STOPPED")'
ok 'monitor' bash -c 'lua5.4 -e '"'$prelude"'
local seen = ""
assert(lxmgr.monitor(function(name, state) seen = name .. state; return state == "RUNNING" end, P))
eq(seen, "aRUNNING")'"'"' & pid=$!
sleep 0.5
lxmgr-start -P "$TREE" a && wait $pid'
lua 'an error in what monitor calls is raised' '
eq(select(2, pcall(lxmgr.monitor, function() error("mine", 0) end, P)), "mine")'
lua 'doctor, keys, settings' '
local n = 0
for _, check in ipairs(assert(lxmgr.doctor())) do
	assert(check.group and check.name and check.text and check.cure)
	assert(check.result == "ok" or check.result == "notice" or check.result == "missing"); n = n + 1
end
assert(n > 20)
assert(#lxmgr.checkconfig() > 5)
assert(#lxmgr.keys() > 90); assert(lxmgr.keys()[1].name:find("^lxmgr%."))
eq(lxmgr.global("lxmgr.lxmgrpath"), lxmgr.global()["lxmgr.lxmgrpath"])
fails(64, "no.such", lxmgr.global("no.such"))
assert(lxmgr.template_help("busybox"):find("busybox%-path"))'
lua 'wrong arguments are errors, and nothing is ignored' '
local c = assert(lxmgr.open("a", P))
local function wrong(like, f, ...)
	local ok, why = pcall(f, ...)
	eq(ok, false)
	if not why:find(like) then error("said: " .. why, 2) end
end
wrong("no option .tmeout", c.stop, c, {tmeout = 3})
wrong("true or false", c.stop, c, {kill = "yes"})
wrong("seconds", c.stop, c, {timeout = -1})
wrong("seconds", c.stop, c, {timeout = 0/0})
wrong("no command", c.attach, c, {})
wrong("list of strings", c.attach, c, {"a", x = "b"})
wrong("must be a string", c.attach, c, {"a", 7})
wrong("NUL", c.attach, c, {"a\0b"})
wrong("whole number", c.attach, c, {"a"}, {uid = 4294967295})
wrong("whole number", c.attach, c, {"a"}, {uid = -1})
wrong("not NAME=VALUE", c.attach, c, {"a"}, {env = {"x"}})
wrong("no state", c.wait, c, "NEVER"); wrong("no state", c.wait, c, "")
wrong("no template", lxmgr.create, "x", {path = P.path})
wrong("action", lxmgr.autostart, {action = "dance"})
wrong("expected", c.state, {}); wrong("expected", c.state, io.stdout)
eq(getmetatable(c), "lxmgr.container")'
status 1 'an ordinary user is refused, by name' setpriv --reuid=65534 --regid=65534 --clear-groups \
	lua5.4 -e "$prelude"'local ok, why, status = lxmgr.list(); assert(ok, why)'
says 'needs root' 'and told why' setpriv --reuid=65534 --regid=65534 --clear-groups \
	lua5.4 -e "$prelude"'print(select(2, lxmgr.list()))'
lua 'destroy' '
local c = assert(lxmgr.open("a", P))
fails(4, "running", c:destroy()); assert(c:destroy{force = true})
fails(3, "a", c:state()); eq(#lxmgr.list(P), 0)'
finish

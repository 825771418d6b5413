# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# The Lua module: scripts do with containers what the tools do.
# In machines: check-vm-full.
. ./lib.sh
. ./lua.sh
need lua5.4

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
status, out = c:attach({"cat", "/proc/self/attr/current"}, {capture = true, remount_sys_proc = true}); eq(type(out), "string")
fails(1, "nosuch/log", c:attach({"true"}, {pty_log = "/proc/nosuch/log"}))
eq(c:attach({"true"}, {context = "no context"}), nil)
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
fails(3, "no%-such", c:start{share_net = "no-such"}); fails(3, "no%-such", c:start{share_pid = "no-such"})
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
local seen
for _, e in ipairs(assert(lxmgr.autostart_list{path = P.path, action = "stop", all_trees = true, no_units = true})) do
	seen = seen or e.name == "a" and e.path == P.path
end
eq(seen, true)
eq(pcall(lxmgr.autostart_list, {path = P.path, all_trees = true}), false)
eq(pcall(lxmgr.autostart_list, {path = P.path, action = "stop", no_units = true}), false)
assert(lxmgr.autostart_sync() >= 0)
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
printf '#!/bin/sh\necho "$1:$A"; exit 3\n' >"$TREE/.script"
printf '#!/bin/sh\nexec yes\n' >"$TREE/.endless"
printf 'hello\n' >"$TREE/.file"
lua 'copy, full and shared' '
local c = assert(lxmgr.open("a", P))
local d = assert(c:copy("d", {define = {["lxmgr.limit.pids"] = 44}, progress = function() end}))
eq(d:name(), "d"); eq(d:path(), P.path); eq(d:state(), "STOPPED"); eq(d:get("lxmgr.limit.pids"), "44")
local e = assert(c:copy("e", {try_share = true, keep_name = true})); eq(e:get("lxmgr.uts.name"), "a")
assert(e:destroy())'
lua 'copies that are refused' '
local c = assert(lxmgr.open("a", P))
fails(4, "exists", c:copy("d")); fails(64, "container name", c:copy("../d"))
fails(6, "zfs", c:copy("e", {backend = "zfs"})); fails(3, "does not exist", lxmgr.open("e", P))'
lua 'an ephemeral copy is gone when it stops' '
local e = assert(lxmgr.open("a", P)):copy(nil, {ephemeral = true})
assert(e:start()); assert(e:stop{kill = true})
for _ = 1, 100 do if not lxmgr.open(e:name(), P) then return end; os.execute("sleep 0.1") end
error("it is still there")'
lua 'rename' '
local d = assert(lxmgr.open("d", P))
local r = assert(d:rename("r")); eq(r:name(), "r"); eq(r:get("lxmgr.limit.pids"), "44"); fails(3, "d", d:state())
fails(4, "exists", r:rename("a")); fails(3, "d", d:rename("x"))'
lua 'push and pull' '
local r = assert(lxmgr.open("r", P))
assert(r:push(P.path .. "/.file", "/root/one", {mode = 384, uid = 5, gid = 6}))
assert(r:push({P.path .. "/.file", P.path .. "/.script"}, "/srv/in/it/", {parents = true}))
assert(r:pull("/srv/in", P.path .. "/.pulled", {recursive = true, progress = function() end}))
eq(io.open(P.path .. "/.pulled/it/.file"):read("a"), "hello\n")
assert(r:pull({"/root/one"}, P.path .. "/.one", {archive = true}))
fails(1, "No such file", r:push(P.path .. "/.none", "/root/")); fails(1, "No such file", r:pull("/none", P.path .. "/.none"))
fails(64, "director", r:pull("/srv/in", P.path .. "/.none"))'
is '600 5 6 hello' 'what came back has its owner and mode' bash -c 'stat -c "%a %u %g" "$0"/.one | tr "\n" " "; cat "$0"/.one' "$TREE"
lua 'what was left out is told' '
local r = assert(lxmgr.open("r", P))
local heard = 0
assert(r:execute({"mkfifo", "/srv/in/fifo"}))
assert(r:pull("/srv/in", P.path .. "/.again", {recursive = true, warn = function(text) assert(text:find("fifo")); heard = heard + 1 end}))
eq(heard, 1)
eq(select(2, pcall(r.pull, r, "/srv/in", P.path .. "/.third", {recursive = true, warn = function() error("mine", 0) end})), "mine")'
lua 'execute: status, output, input, ids; nothing is left running' '
local r = assert(lxmgr.open("r", P))
local status, out = r:execute({"sh", "-c", "echo out; echo err >&2; exit 7"}, {capture = true})
eq(status, 7); eq(out:gsub("\r", ""), "out\nerr\n")
status, out = r:execute({"sh", "-c", "id -u; cat /proc/sys/kernel/hostname"}, {capture = true, uid = 33, gid = 33, define = {["lxmgr.uts.name"] = "other"}})
eq(out:gsub("\r", ""), "33\nother\n"); eq(r:execute{"true"}, 0)
eq(r:state(), "STOPPED")
status, out = r:execute({"no-such-command"}, {capture = true}); eq(status, 127); assert(out:find("no%-such%-command"))
fails(125, "limit", r:execute({"yes"}, {capture = true, limit = 100000})); eq(r:wait("STOPPED", 30), "STOPPED")
eq(r:execute({"sleep", "1000"}, {daemon = true}), 0); eq(r:state(), "RUNNING")
fails(125, "running", r:execute{"true"})
assert(r:stop{kill = true})'
lua 'runscript, stopped and running' '
local r, s = assert(lxmgr.open("r", P)), P.path .. "/.script"
for _ = 1, 2 do
	local status, out = r:runscript(s, {args = {"one two"}, env = {A = "b"}, capture = true})
	eq(status, 3); eq(out:gsub("\r", ""), "one two:b\n")
	fails(125, "read the script", r:runscript(P.path .. "/.none")); fails(125, "read the script", r:runscript("/"))
	fails(125, "limit", r:runscript(P.path .. "/.endless", {capture = true, limit = 100000}))
	if r:state() == "RUNNING" then break end
	eq(r:wait("STOPPED", 30), "STOPPED"); assert(r:start())
end
eq(r:state(), "RUNNING"); assert(r:stop{kill = true})'
lua 'snapshots: made, listed, compared, restored, copied, destroyed' '
local r = assert(lxmgr.open("r", P))
eq(r:snapshot(), "snap0"); assert(r:push(P.path .. "/.file", "/root/later"))
eq(r:snapshot{name = "two", comment = "a b"}, "two")
local v = assert(r:snapshots()); eq(#v, 2); eq(v[1].name, "snap0"); eq(v[2].parent, "snap0"); eq(v[2].comment, "a b")
eq(v[1].parent, nil); eq(v[1].scheduled, false); assert(os.time() - v[1].created < 600); assert(v[2].id ~= v[1].id)
local changes = assert(r:snapshot_diff("snap0", "two")); local seen
for _, d in ipairs(changes) do if d.path == "/root/later" then seen = d.change end end
eq(seen, "added"); eq(#assert(r:snapshot_diff("two")), 0)
assert(r:snapshot_restore("snap0"))
changes = assert(r:snapshot_diff("two")); seen = nil
for _, d in ipairs(changes) do if d.path == "/root/later" then seen = d.change end end
eq(seen, "deleted")
local s = assert(r:snapshot_copy("two", "s")); assert(s:pull("/root/later", P.path .. "/.later")); assert(s:destroy())
fails(4, "snap", r:snapshot{name = "two"}); fails(64, "", r:snapshot{name = "../x"})
fails(3, "none", r:snapshot_restore("none")); fails(3, "none", r:snapshot_destroy("none"))
fails(3, "none", r:snapshot_diff("none")); fails(3, "none", r:snapshot_copy("none", "s"))
fails(4, "snapshot", r:destroy())
assert(r:snapshot_destroy("two")); assert(r:snapshot_destroy("snap0")); eq(#r:snapshots(), 0)'
lua 'snapshots by schedule' '
local r = assert(lxmgr.open("r", P))
fails(4, "lxmgr.snapshot.keep", r:snapshot_expire())
assert(r:set("lxmgr.snapshot.schedule", "daily")); assert(r:set("lxmgr.snapshot.keep", "1d"))
local first = assert(r:snapshot_scheduled()); eq(r:snapshots()[1].name, first); eq(r:snapshots()[1].scheduled, true)
eq(#assert(r:snapshot_expire()), 0)
assert(r:snapshot_destroy(first)); assert(r:clear("lxmgr.snapshot.schedule")); assert(r:clear("lxmgr.snapshot.keep"))'
lua 'export, import, and back again' '
local r, file = assert(lxmgr.open("r", P)), P.path .. "/.r.lxa"
assert(r:push(P.path .. "/.file", "/root/kept")); assert(r:export(file, {progress = function() end}))
local i, notice = assert(lxmgr.import(file, {path = P.path, name = "i", define = {["lxmgr.limit.pids"] = 33}, warn = function() end}))
eq(i:name(), "i"); eq(i:get("lxmgr.limit.pids"), "33"); assert(i:pull("/root/kept", P.path .. "/.kept"))
fails(4, "exists", lxmgr.import(file, {path = P.path, name = "i"}))
fails(6, "entries", lxmgr.import(file, {path = P.path, name = "x", max_entries = "5"}))
fails(6, "ext9", lxmgr.import(file, {path = P.path, name = "x", fstype = "ext9", backend = "loop"}))
fails(6, "", lxmgr.import(P.path .. "/.script", {path = P.path, name = "x"}))
fails(1, "No such file", r:export(P.path .. "/none/x"))
assert(#lxmgr.import_formats() > 3); assert(i:destroy())'
lua 'backups' '
local r, dir = assert(lxmgr.open("r", P)), P.path .. "/.backups"
local one = assert(r:backup(dir)); eq(one.full, true); eq(one.removed, 0)
local two = assert(r:backup(dir, {keep = "2h"})); eq(two.full, false); assert(two.size < one.size)
local v = assert(lxmgr.backups(dir)); eq(#v, 2 - two.removed); eq(v[#v].point, two.point); eq(v[#v].name, "r"); eq(v[#v].missing, nil)
assert(lxmgr.import(dir, {path = P.path, name = "i"})):destroy()
fails(1, "No such file", lxmgr.backups(P.path .. "/.none")); fails(64, "what is kept", r:backup(dir, {keep = "often"}))'
lua 'mount, umount, mounts' '
local r = assert(lxmgr.open("r", P))
local dir = assert(r:mount{read_only = true}); assert(io.open(dir .. "/etc/passwd")):close()
local v = assert(lxmgr.mounts(P)); eq(#v, 1); eq(v[1].name, "r"); eq(v[1].dir, dir); eq(v[1].read_only, true)
fails(4, "mounted", r:start()); fails(4, "mounted", r:mount())
assert(r:umount()); eq(#lxmgr.mounts(P), 0); fails(4, "not mounted", r:umount())
fails(1, "", r:mount{dir = P.path .. "/.none"})'
lua 'disk' '
local r = assert(lxmgr.open("r", P))
local d = assert(r:disk()); assert(d.used > 0); eq(d.backend, r:info().backend)
fails(6, "", r:disk_change{size = "1k"})
assert(lxmgr.create("l", {path = P.path, template = "busybox", backend = "loop", fstype = "ext4", fssize = "96M"}))
local l = assert(lxmgr.open("l", P)); assert(l:disk_change{size = "64M"}); eq(l:disk().limit, 64 << 20)
local told = 0
assert(l:disk_compact{progress = function() told = told + 1 end} >= 0); assert(told > 0); assert(l:disk_compact() >= 0)
assert(l:destroy())
fails(64, "size", lxmgr.create("l", {path = P.path, template = "busybox", backend = "loop", fssize = "much"}))
fails(64, "fstype", lxmgr.create("l", {path = P.path, template = "busybox", backend = "dir", fstype = "ext4"}))'
lua 'setup, and what is there' '
local r = assert(lxmgr.open("r", P))
fails(64, "host name", r:setup{hostname = "a/b"})
local done = assert(r:setup{hostname = "new", hosts = {"10.9.8.7 far"}}); assert(#done.changed > 0)
eq(assert(r:setup_show()).hostname, "new"); eq(r:get("lxmgr.uts.name"), "new"); eq(#assert(r:setup{hostname = "new"}).changed, 0)
fails(64, "", r:setup{timezone = "../../etc"})
assert(r:start()); done = assert(r:setup{hostname = "newer"}); eq(#done.changed > 0, true); assert(r:stop{kill = true})'
lua 'reinstall' '
local r = assert(lxmgr.open("r", P))
assert(r:push(P.path .. "/.file", "/root/gone")); eq(#assert(r:reinstall{progress = function() end}).notices, 0)
fails(1, "No such file", r:pull("/root/gone", P.path .. "/.gone")); eq(r:get("lxmgr.limit.pids"), "44")
assert(r:push(P.path .. "/.file", "/root/old")); assert(r:reinstall{keep_old = true, template = "busybox"})
assert(r:pull("/old/root/old", P.path .. "/.old"))
assert(r:start()); fails(4, "running", r:reinstall()); fails(1, "none", r:reinstall{force = true, template = "none-such"}); r:stop{kill = true}'
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
wrong("exclude", lxmgr.create, "x", {path = P.path, template = "busybox", image = "x"})
wrong("no name", c.copy, c); wrong("goes with ephemeral", c.copy, c, "x", {memory = 7})
wrong("no source", c.push, c, {}, "/x"); wrong("no mode", c.push, c, "x", "/x", {mode = 4096}); wrong("no mode", c.pull, c, "x", "/x", {mode = 2560})
wrong("neither", c.disk_change, c, {}); wrong("nothing to set", c.setup, c, {}); wrong("goes without capture", c.execute, c, {"x"}, {daemon = true, capture = true})
wrong("no option .offline", lxmgr.image.import, "x", {offline = true}); wrong("goes with remote", lxmgr.image.list, {offline = true})
wrong("no option .sha256", lxmgr.image.fetch, "x:y", {sha256 = "x"}); wrong("not NAME=VALUE", c.runscript, c, "x", {env = {"x"}})
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
fails(3, "a", c:state()); assert(assert(lxmgr.open("r", P)):destroy()); eq(#lxmgr.list(P), 0)'
finish

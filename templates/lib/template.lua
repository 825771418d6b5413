-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Runs a Lua template: its declaration, its help, its options, and what build() finds as t.
-- lxmgr-templates(7) tells of all of it.
local args = lxmgr.args
local name = args.template[1]
local mode = args.mode[1]

local function fail(fmt, ...)
	error(string.format(fmt, ...), 0)
end

local T = require(name)
if type(T) ~= "table" or type(T.build) ~= "function" or type(T.summary) ~= "string" then
	fail("the template '%s' must return a table with summary and build", name)
end

-- What a template may declare; a word that is none of these is a mistake in it.
local known = { summary = "string", description = "string", options = "table", releases = "table",
	architectures = "table", build = "function" }
for key, value in pairs(T) do
	if known[key] ~= type(value) then
		fail("the template '%s' declares '%s', which is nothing that there is", name, tostring(key))
	end
end

local types = {
	text = function(v) return not v:find("[%z\r\n]") end,
	word = function(v) return v:find("^[%w][%w._+-]*$") end,
	number = function(v) return v:find("^%d+$") end,
	url = function(v) return v:find("^https?://[%w]") and not v:find("[%s%c]") end,
	file = function(v) return v:find("^/") and not v:find("%z") end,
	list = function(v) return v:find("^[%w][%w._+:/=~-]*$") end,
}

local function one_of(list, v)
	for _, have in ipairs(list) do
		if v == have then return true end
	end
	return list.pattern and v:find("^" .. list.pattern .. "$") ~= nil
end

-- The options of the declaration, with --release and --arch where there are such.
local function declared()
	local all = {}
	if T.releases then
		all[#all + 1] = { name = "release", short = "r", type = "word", value = "RELEASE",
			default = T.releases.default, help = T.releases.help or "release", among = T.releases }
	end
	if T.architectures then
		local words = {}
		for _, arch in pairs(T.architectures) do words[#words + 1] = arch end
		table.sort(words)
		all[#all + 1] = { name = "arch", short = "a", type = "word", value = "ARCH",
			default = T.architectures[args.machine[1]], help = "architecture", among = words }
	end
	for _, o in ipairs(T.options or {}) do
		if type(o.name) ~= "string" or not o.name:find("^%l[%l%d-]*$") or type(o.help) ~= "string"
			or not (o.type == "flag" or types[o.type]) then
			fail("the template '%s' has an option without a name, a type or a help", name)
		end
		all[#all + 1] = o
	end
	return all
end

local function show(o)
	local text = (o.short and "-" .. o.short .. ", " or "    ") .. "--" .. o.name
	if o.type ~= "flag" then text = text .. " " .. (o.value or o.type:upper()) end
	return text
end

local function help(options)
	lxmgr.log("Usage: lxmgr-create -t " .. name .. " -n NAME [-- OPTIONS]")
	lxmgr.log("")
	lxmgr.log(T.summary)
	for line in (T.description or ""):gmatch("[^\n]+") do lxmgr.log(line) end
	lxmgr.log("")
	lxmgr.log("Options of the template:")
	local own = { { name = "password", type = "text", value = "PASS", help = "root's password (taken by lxmgr-create)" },
		{ name = "ssh-key", type = "file", value = "FILE", help = "a public key for root (taken by lxmgr-create)" } }
	local width = 0
	for _, list in ipairs { options, own } do
		for _, o in ipairs(list) do width = math.max(width, #show(o)) end
	end
	for _, list in ipairs { options, own } do
		for _, o in ipairs(list) do
			local extra = o.required and " (needed)" or o.default and " (default: " .. o.default .. ")" or ""
			lxmgr.log(string.format("  %-" .. width .. "s  %s%s", show(o), o.help, extra))
		end
	end
end

-- Where the files are that arguments name.
local whole = {}
for _, pair in ipairs(args.path or {}) do
	local value, path = pair:match("^([^\n]*)\n(.*)$")
	if value then whole[value] = path end
end

local function check(o, value)
	if o.type == "file" then value = whole[value] or value end
	if not types[o.type](value) then
		fail("--%s: '%s' is no %s (see --help)", o.name, value, (o.value or o.type):lower())
	end
	if o.among and not one_of(o.among, value) then
		fail("--%s: there is no '%s' (see --help)", o.name, value)
	end
	return value
end

local function find(options, arg)
	for _, o in ipairs(options) do
		if arg == "--" .. o.name or (o.short and arg == "-" .. o.short) then return o end
	end
	fail("unknown option '%s' (see --help)", arg)
end

-- "list" may be given more than once, and takes commas.
local function set(values, o, value)
	if o.type ~= "list" and o.type ~= "file" or (o.type == "file" and not o.many) then
		values[o.name] = check(o, value)
		return
	end
	values[o.name] = values[o.name] or {}
	local list = values[o.name]
	if o.type == "file" then
		list[#list + 1] = check(o, value)
	else
		for word in value:gmatch("[^,]+") do list[#list + 1] = check(o, word) end
	end
end

local function parse(options)
	local values, i = {}, 1
	local given = args.arg or {}
	while given[i] do
		local arg, value = given[i], nil
		local long, rest = arg:match("^(%-%-[^=]+)=(.*)$")
		if long then arg, value = long, rest end
		local o = find(options, arg)
		if o.type == "flag" then
			if value then fail("--%s takes no value", o.name) end
			values[o.name] = true
		else
			if not value then
				i = i + 1
				value = given[i] or fail("option '%s' needs a value (see --help)", arg)
			end
			set(values, o, value)
		end
		i = i + 1
	end
	for _, o in ipairs(options) do
		if values[o.name] == nil and o.default then set(values, o, o.default) end
		if values[o.name] == nil and o.required then fail("%s", o.missing or
			string.format("--%s is needed: %s (see --help)", o.name, o.help)) end
	end
	return values
end

local t = { name = args.container and args.container[1] }

function t.progress(permille, text)
	lxmgr.log(string.format("progress: %d %s", permille, text))
end

-- A file by http or https, whose digest is checked: { sha256 = ... } or { sha512 = ... }. One that is
-- checked by other means ({ unchecked = true }) cannot be unpacked before that.
function t.fetch(url, o)
	o = o or {}
	local file = lxmgr.fetch(url, o.limit)
	for _, algorithm in ipairs { "sha256", "sha512" } do
		if o[algorithm] then
			file:expect(algorithm, o[algorithm])
			return file
		end
	end
	if not o.unchecked then fail("fetch of '%s' without a digest", url) end
	return file
end

t.open = lxmgr.open
t.unpack = lxmgr.unpack
t.config = lxmgr.config

-- A program in the new root, without a network. Its failure is the template's.
function t.run(argv)
	local status, out = lxmgr.run(argv)
	if status ~= 0 and not argv.may_fail then
		fail("'%s' failed with status %d: %s", argv[1], status,
			((out or ""):sub(-200):gsub("%s+$", ""):gsub("\n", "; ")))
	end
	return status, out
end

local function field_is_plain(v)
	return type(v) == "string" and not v:find("[:%c,]")
end

local function entry(path, who)
	for line in (lxmgr.read(path) or ""):gmatch("[^\n]+") do
		if line:sub(1, #who + 1) == who .. ":" then return line end
	end
end

-- { name, uid, gid, home, shell, gecos, groups = {} }: made, or changed to that.
function t.user(u)
	local uid = math.tointeger(u.uid)
	local gid = math.tointeger(u.gid or u.uid)
	local home, shell = u.home or "/home/" .. tostring(u.name), u.shell or "/bin/sh"
	if type(u.name) ~= "string" or not u.name:find("^[%l_][%l%d_-]*$") or not uid or not gid or uid < 0
		or gid < 0 or uid > 65533 or gid > 65533 then
		fail("user: '%s' needs a name, and a uid below 65534", tostring(u.name))
	end
	for _, v in ipairs { home, shell, u.gecos or "" } do
		if not field_is_plain(v) then fail("user: a field of '%s' has a colon or a newline", u.name) end
	end
	local pattern = "^" .. u.name:gsub("%-", "%%-") .. ":"
	lxmgr.edit_line("/etc/passwd", pattern,
		string.format("%s:x:%d:%d:%s:%s:%s", u.name, uid, gid, u.gecos or "", home, shell))
	if not entry("/etc/group", u.name) then
		lxmgr.append_line("/etc/group", string.format("%s:x:%d:", u.name, gid))
	end
	if not entry("/etc/shadow", u.name) then
		lxmgr.append_line("/etc/shadow", u.name .. ":*:19000:0:99999:7:::")
	end
	for _, group in ipairs(u.groups or {}) do
		local line = entry("/etc/group", group) or fail("user: there is no group '%s'", group)
		local members = line:match("^[^:]*:[^:]*:[^:]*:(.*)$") or ""
		if not ("," .. members .. ","):find("," .. u.name .. ",", 1, true) then
			lxmgr.edit_line("/etc/group", "^" .. group:gsub("%-", "%%-") .. ":",
				line .. (members == "" and "" or ",") .. u.name)
		end
	end
	lxmgr.mkdir(home, tonumber("700", 8), uid, gid)
end

function t.password(user, password)
	local line = entry("/etc/shadow", user) or fail("password: there is no user '%s'", user)
	local rest = line:match("^[^:]*:[^:]*:(.*)$")
	lxmgr.edit_line("/etc/shadow", "^" .. user:gsub("%-", "%%-") .. ":",
		user .. ":" .. lxmgr.crypt(password) .. ":" .. rest)
end

-- A service of systemd's or OpenRC's, to be started at boot or not.
function t.service(service, on)
	if not service:find("^[%w@._-]+$") or service:find("^%.") then fail("service: '%s' is no name", service) end
	for _, dir in ipairs { "/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system" } do
		local unit = service:find("%.%l+$") and service or service .. ".service"
		if lxmgr.exists(dir .. "/" .. unit) then
			local wants = "/etc/systemd/system/multi-user.target.wants"
			lxmgr.mkdir(wants)
			if on == false then
				lxmgr.remove(wants .. "/" .. unit)
			else
				lxmgr.symlink(dir .. "/" .. unit, wants .. "/" .. unit)
			end
			return
		end
	end
	if not lxmgr.exists("/etc/init.d/" .. service) then fail("there is no service '%s'", service) end
	lxmgr.mkdir("/etc/runlevels/default")
	if on == false then
		lxmgr.remove("/etc/runlevels/default/" .. service)
	else
		lxmgr.symlink("/etc/init.d/" .. service, "/etc/runlevels/default/" .. service)
	end
end

if mode == "help" then
	help(declared())
else
	t.opt = parse(declared())
	t.release, t.arch = t.opt.release, t.opt.arch
	T.build(t)
	t.progress(1000, "done")
end

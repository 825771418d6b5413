-- SPDX-License-Identifier: LGPL-2.1-or-later
-- What is the same in every family, or in all but one. A family takes these and replaces some.
local guest = require("guest")
local common = {}

local OWN = "# the container's own name, kept by lxmgr"
local HOSTS = "# lxmgr-setup"

local function own_line(name)
	local short = name:match("^([^.]+)%.")
	return "127.0.1.1\t" .. name .. (short and " " .. short or "") .. "\t" .. OWN
end

-- As lxmgr-start does it: one line of /etc/hosts is the container's own.
function common.set_hostname(name)
	guest.write("/etc/hostname", name .. "\n")
	local lines, done = {}, false
	local old = lxmgr.read("/etc/hosts")
	if not old or not old:find("%S") then
		old = "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n"
	end
	for _, line in ipairs(guest.lines(old)) do
		if line:find(OWN, 1, true) then
			line = not done and own_line(name) or nil
			done = true
		end
		lines[#lines + 1] = line
	end
	if not done then
		lines[#lines + 1] = own_line(name)
	end
	guest.write("/etc/hosts", table.concat(lines, "\n") .. "\n")
end

-- The lines of ours, all of them.
function common.set_hosts(entries)
	local lines = {}
	for _, line in ipairs(guest.lines(lxmgr.read("/etc/hosts"))) do
		if line:sub(-#HOSTS) ~= HOSTS then
			lines[#lines + 1] = line
		end
	end
	for _, entry in ipairs(entries) do
		lines[#lines + 1] = entry .. "\t" .. HOSTS
	end
	guest.write("/etc/hosts", table.concat(lines, "\n") .. "\n")
end

local function zone_file(zone)
	local file = "/usr/share/zoneinfo/" .. zone
	local st = lxmgr.stat(file)
	if not st or st.type ~= "file" then
		error("the container has no time zone '" .. zone .. "' (" .. file .. "; is tzdata installed?)", 0)
	end
	return file
end

function common.set_timezone(zone)
	guest.link(zone_file(zone), "/etc/localtime")
end

function common.get_timezone()
	local st = lxmgr.stat("/etc/localtime", true)
	return st and st.target and st.target:match("zoneinfo/(.+)$")
end

function common.set_locale(locale)
	guest.assign("/etc/locale.conf", "LANG", locale)
end

function common.get_locale()
	return guest.assignments("/etc/locale.conf").LANG
end

-- A line of /etc/passwd, cut up.
function common.user(name)
	for _, line in ipairs(guest.lines(lxmgr.read("/etc/passwd"))) do
		local f = {}
		for field in (line .. ":"):gmatch("([^:]*):") do
			f[#f + 1] = field
		end
		if f[1] == name and #f >= 7 then
			return { name = name, uid = math.tointeger(tonumber(f[3])) or 0,
				gid = math.tointeger(tonumber(f[4])) or 0, home = f[6] }
		end
	end
	error("there is no user '" .. name .. "' in the container", 0)
end

-- The user's line of /etc/shadow gets the password's hash, or the hash that is given; the others stay as
-- they are.
function common.set_password(name, password, hash)
	common.user(name)
	local lines, done = {}, false
	for _, line in ipairs(guest.lines(lxmgr.read("/etc/shadow"))) do
		local old, rest = line:match("^" .. name:gsub("%p", "%%%0") .. ":([^:]*)(.*)$")
		if old and not done then
			done = true
			-- A new salt each time would be a change each time.
			local same = not hash and #old > 2 and old:sub(1, 1) == "$" and lxmgr.crypt(password, old) == old
			line = name .. ":" .. (same and old or hash or lxmgr.crypt(password)) .. rest
		end
		lines[#lines + 1] = line
	end
	if not done then
		lines[#lines + 1] = ("%s:%s:%d:0:99999:7:::"):format(name, hash or lxmgr.crypt(password),
			lxmgr.time() // 86400)
	end
	local mode = not lxmgr.exists("/etc/shadow") and 416 or nil -- 0640
	guest.write("/etc/shadow", table.concat(lines, "\n") .. "\n", mode)
end

local function user_with_home(name)
	local user = common.user(name)
	if user.home == "" or user.home == "/" or not user.home:find("^/") then
		error("the user '" .. name .. "' has no home directory", 0)
	end
	return user
end

-- What can be known to be impossible is, before anything is written: a half that was written is taken
-- for done the next time, and what it needs is not run then.
function common.check_user(name, args)
	if args.password or args.password_hash then
		common.user(name)
	end
	if args.ssh_key then
		user_with_home(name)
	end
end

function common.check(name, args)
	common.check_user(name, args)
	if args.timezone then
		zone_file(args.timezone[1])
	end
end

-- The keys are added to those that are there.
function common.set_ssh_keys(name, keys)
	local user = user_with_home(name)
	local dir = user.home .. "/.ssh"
	if not lxmgr.exists(user.home) then
		lxmgr.mkdir(user.home, 448, user.uid, user.gid) -- 0700
	end
	-- With the rights of the guest's root, in what is the user's: no link leads out of it.
	local below = user.uid ~= 0 and user.home or nil
	lxmgr.mkdir(dir, 448, user.uid, user.gid, below)
	local file = dir .. "/authorized_keys"
	local text = lxmgr.read(file, nil, below) or ""
	if text ~= "" and text:sub(-1) ~= "\n" then
		text = text .. "\n"
	end
	local have = {}
	for _, line in ipairs(guest.lines(text)) do
		have[line] = true
	end
	for _, key in ipairs(keys) do
		if not have[key] then
			text = text .. key .. "\n"
			have[key] = true
		end
	end
	guest.write_below(below, file, text, 384, user.uid, user.gid) -- 0600
end

function common.get_resolver()
	local servers, search = lxmgr.array({}), lxmgr.array({})
	for _, line in ipairs(guest.lines(lxmgr.read("/etc/resolv.conf"))) do
		servers[#servers + 1] = line:match("^%s*nameserver%s+(%S+)")
		for word in (line:match("^%s*search%s+(.*)$") or ""):gmatch("%S+") do
			search[#search + 1] = word
		end
	end
	return servers, search
end

return common

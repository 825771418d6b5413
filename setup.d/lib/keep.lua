-- SPDX-License-Identifier: LGPL-2.1-or-later
-- What a reinstalled container keeps: with `collect` it is read from the old root, and with `kept`
-- written into the new one. The old root is the guest's work: what is taken is checked, and only by
-- kind.
local guest = require("guest")
local common = require("common")
local args = lxmgr.args

local FIRST_USER, LAST_USER = 1000, 59999

-- Of text only: an old root may hold anything.
local function text_of(path)
	local st = lxmgr.stat(path)
	if not st or st.type ~= "file" or st.size > 65536 then
		return nil
	end
	local text = lxmgr.read(path)
	return text and utf8.len(text) and not text:find("\0") and text or nil
end

local function fields(line)
	local f = {}
	for field in (line .. ":"):gmatch("([^:]*):") do
		f[#f + 1] = field
	end
	return f
end

local function is_name(name)
	return name and #name < 33 and name:find("^[%w_][%w_.-]*$") ~= nil
end

local function is_hash(hash)
	return hash and hash ~= "" and hash:find("^[%w!*$./=,_-]+$") ~= nil
end

local function host_keys()
	local found = {}
	for _, name in ipairs(lxmgr.list("/etc/ssh") or {}) do
		if name:find("^ssh_host_[%w_]+_key$") or name:find("^ssh_host_[%w_]+_key%.pub$") then
			found[name] = text_of("/etc/ssh/" .. name)
		end
	end
	return found
end

local function keys_of(home)
	if home:find("^/.") and not home:find("%.%.") then
		return text_of(home .. "/.ssh/authorized_keys")
	end
	return nil
end

local function users()
	local all, hashes = lxmgr.array({}), {}
	for _, line in ipairs(guest.lines(text_of("/etc/shadow") or "")) do
		local f = fields(line)
		hashes[f[1]] = f[2]
	end
	for _, line in ipairs(guest.lines(text_of("/etc/passwd") or "")) do
		local f = fields(line)
		local uid, gid = math.tointeger(tonumber(f[3])), math.tointeger(tonumber(f[4]))
		local own = uid and uid >= FIRST_USER and uid <= LAST_USER
		if #f == 7 and is_name(f[1]) and uid and gid and gid >= 0 and gid < 65535 and (uid == 0 or own) then
			all[#all + 1] = { name = f[1], uid = uid, gid = gid, gecos = f[5], home = f[6], shell = f[7],
				hash = is_hash(hashes[f[1]]) and hashes[f[1]] or nil, keys = keys_of(f[6]) }
		end
	end
	return all
end

local function collect()
	return { machine_id = (text_of("/etc/machine-id") or ""):match("^(%x+)\n?$"),
		host_keys = host_keys(), users = users() }
end

local function find_line(path, name)
	for _, line in ipairs(guest.lines(lxmgr.read(path))) do
		if fields(line)[1] == name then
			return fields(line)
		end
	end
	return nil
end

local function set_hash(name, hash)
	local lines, done = {}, false
	for _, line in ipairs(guest.lines(lxmgr.read("/etc/shadow"))) do
		local f = fields(line)
		if f[1] == name and not done then
			done = true
			f[2] = hash
			line = table.concat(f, ":")
		end
		lines[#lines + 1] = line
	end
	if not done then
		lines[#lines + 1] = ("%s:%s:%d:0:99999:7:::"):format(name, hash, lxmgr.time() // 86400)
	end
	local mode = not lxmgr.exists("/etc/shadow") and 416 or nil -- 0640
	guest.write("/etc/shadow", table.concat(lines, "\n") .. "\n", mode)
end

local function id_is_free(path, id)
	for _, line in ipairs(guest.lines(lxmgr.read(path))) do
		if math.tointeger(tonumber(fields(line)[3])) == id then
			return false
		end
	end
	return true
end

-- A user that the new root has not got; false where the id is somebody else's there.
local function add_user(u)
	if not id_is_free("/etc/passwd", u.uid) then
		return false
	end
	if id_is_free("/etc/group", u.gid) and not find_line("/etc/group", u.name) then
		lxmgr.append_line("/etc/group", ("%s:x:%d:"):format(u.name, u.gid))
	end
	local shell = lxmgr.exists(u.shell ~= "" and u.shell or "/") and u.shell or "/bin/sh"
	lxmgr.append_line("/etc/passwd", ("%s:x:%d:%d:%s:%s:%s"):format(u.name, u.uid, u.gid,
		u.gecos:gsub("%c", ""), u.home, shell))
	if u.home:find("^/.") and not u.home:find("%.%.") then
		lxmgr.mkdir(u.home, 448, u.uid, u.gid) -- 0700
	end
	return true
end

local function apply(kept)
	if kept.machine_id and #kept.machine_id == 32 then
		guest.write("/etc/machine-id", kept.machine_id .. "\n", 292) -- 0444
	end
	for name, text in pairs(kept.host_keys) do
		-- 0600, and 0644 for the public half.
		guest.write("/etc/ssh/" .. name, text, name:find("%.pub$") and 420 or 384, 0, 0)
	end
	for _, u in ipairs(kept.users) do
		if find_line("/etc/passwd", u.name) or add_user(u) then
			if u.hash then
				set_hash(u.name, u.hash)
			end
			local keys = {}
			for _, line in ipairs(guest.lines(u.keys or "")) do
				if line:find("%S") then
					keys[#keys + 1] = line
				end
			end
			if #keys > 0 then
				common.set_ssh_keys(u.name, keys)
			end
		else
			guest.notice("the user '" .. u.name .. "' is not kept: its id " .. u.uid .. " is another's in the new root")
		end
	end
	return { changed = guest.changed, notices = guest.notices }
end

if args.collect then
	return collect()
end
return apply(lxmgr.decode(args.kept[1]))

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

-- What is told is the old guest's work, too: it must neither be endless nor break the answer.
local MAX_NOTICES = 50
local notices = lxmgr.array({})

local function tell(...)
	local text = string.format(...)
	if #notices < MAX_NOTICES then
		notices[#notices + 1] = utf8.len(text) and text or text:gsub("[\x80-\xff]", "?")
	elseif #notices == MAX_NOTICES then
		notices[#notices + 1] = "and more than these"
	end
end

local function shorten(text)
	return #text > 40 and text:sub(1, 40) .. "..." or text
end

local function host_keys()
	local found = {}
	for _, name in ipairs(lxmgr.list("/etc/ssh") or {}) do
		if name:find("^ssh_host_[%w_]+_key$") or name:find("^ssh_host_[%w_]+_key%.pub$") then
			found[name] = text_of("/etc/ssh/" .. name)
			if not found[name] then
				tell("the host key '%s' is not kept: it is no small file of text", shorten(name))
			end
		end
	end
	return found
end

local function is_path(home)
	return home:find("^/.") ~= nil and not home:find("%.%.")
end

local function has_keys(home)
	return lxmgr.exists((is_path(home) and home or "") .. "/.ssh/authorized_keys")
end

-- The lines that are keys. The user may have laid a link to what only root may read.
local function keys_of(name, uid, home)
	if not is_path(home) then
		if home:find("%.%.") or has_keys("") then
			tell("the keys of '%s' are not kept: its home directory is '%s'", name, shorten(home))
		end
		return nil
	end
	local ok, text = pcall(lxmgr.read, home .. "/.ssh/authorized_keys", 65536, uid ~= 0 and home or nil)
	if not ok then
		tell("the keys of '%s' are not kept: %s", name, tostring(text))
		return nil
	end
	local keys, others = {}, 0
	for _, line in ipairs(guest.lines(text)) do
		local is_comment = line:find("^%s*#") or not line:find("%S")
		if not is_comment and utf8.len(line) and not line:find("%c")
			and (line:find("ssh%-") or line:find("ecdsa%-") or line:find("sk%-")) then
			keys[#keys + 1] = line
		elseif not is_comment then
			others = others + 1
		end
	end
	if others > 0 then
		tell("%d of the lines in the authorized_keys of '%s' are not kept: they are no keys", others, name)
	end
	return #keys > 0 and table.concat(keys, "\n") or nil
end

-- What decides who the users are must be readable, or they would be lost.
local function lines_of(path)
	local ok, text = pcall(lxmgr.read, path, 1 << 20)
	if not ok then
		error("the old " .. path .. " cannot be read, nothing was changed: " .. tostring(text), 0)
	end
	return guest.lines(text)
end

local function is_plain(text)
	return utf8.len(text) and not text:find("%c")
end

-- The groups of each user, by name; that which a new user gets with its line is not among them.
local function groups()
	local of = {}
	for _, line in ipairs(lines_of("/etc/group")) do
		local f = fields(line)
		for member in (is_name(f[1]) and f[4] or ""):gmatch("[^,]+") do
			of[member] = of[member] or {}
			of[member][f[1]] = true
		end
	end
	return of
end

-- Somebody who could log in, and cannot any more.
local function tell_lost(f, uid, hash)
	local name = is_name(f[1]) and f[1] or shorten(f[1] or "")
	local home = f[6] and is_plain(f[6]) and f[6] or ""
	local can = hash and hash:find("^[%w$./_]") and hash ~= "x"
	if uid and uid > 0 and (uid < FIRST_USER or uid > LAST_USER) then
		if can or (is_path(home) and has_keys(home)) then
			tell("the user '%s' is not kept: its id %d is not from %d to %d", name, uid, FIRST_USER, LAST_USER)
		end
	elseif uid or can then
		tell("the user '%s' is not kept: its line in /etc/passwd is malformed", name)
	end
end

local function users()
	local all, hashes, member = lxmgr.array({}), {}, groups()
	for _, line in ipairs(lines_of("/etc/shadow")) do
		local f = fields(line)
		hashes[f[1]] = f[2]
	end
	for _, line in ipairs(lines_of("/etc/passwd")) do
		local f = fields(line)
		local uid, gid = math.tointeger(tonumber(f[3])), math.tointeger(tonumber(f[4]))
		local own = uid and uid >= FIRST_USER and uid <= LAST_USER
		if #f == 7 and is_name(f[1]) and uid and gid and gid >= 0 and gid < 65535 and (uid == 0 or own) then
			local home, shell = is_plain(f[6]) and f[6] or "/", is_plain(f[7]) and f[7] or ""
			local hash = hashes[f[1]] or ""
			if hash ~= "" and not is_hash(hash) then
				tell("the password of '%s' is not kept: what /etc/shadow has is no hash", f[1])
			end
			local in_groups = lxmgr.array({})
			for group in pairs(member[f[1]] or {}) do
				in_groups[#in_groups + 1] = group
			end
			table.sort(in_groups)
			-- A name of a person may be in any old encoding.
			all[#all + 1] = { name = f[1], uid = uid, gid = gid, gecos = is_plain(f[5]) and f[5] or "",
				home = home, shell = shell, hash = is_hash(hash) and hash or nil, groups = in_groups,
				keys = keys_of(f[1], uid, home) }
		elseif line:find("%S") then
			tell_lost(f, uid, hashes[f[1]])
		end
	end
	return all
end

local function collect()
	local id = text_of("/etc/machine-id") or ""
	if (id ~= "" or lxmgr.exists("/etc/machine-id")) and #(id:match("^(%x*)\n?$") or "-") % 32 ~= 0
		and id ~= "uninitialized\n" then
		tell("the machine-id is not kept: it is not 32 hexadecimal digits")
	end
	return { machine_id = id:match("^(%x+)\n?$"), host_keys = host_keys(), users = users(),
		notices = notices }
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
	local shell = u.shell
	if shell ~= "" and not (shell:find("^/.") and lxmgr.exists(shell)) then
		shell = "/bin/sh"
		tell("the user '%s' gets the shell %s: the new root has no '%s'", u.name, shell, shorten(u.shell))
	end
	lxmgr.append_line("/etc/passwd", ("%s:x:%d:%d:%s:%s:%s"):format(u.name, u.uid, u.gid,
		u.gecos:gsub("%c", ""), u.home, shell))
	if is_path(u.home) then
		lxmgr.mkdir(u.home, 448, u.uid, u.gid) -- 0700
	end
	return true
end

local function tell_groups(u)
	local gone = {}
	for _, group in ipairs(u.groups) do
		local f = find_line("/etc/group", group)
		if not f or not ("," .. (f[4] or "") .. ","):find("," .. u.name .. ",", 1, true) then
			gone[#gone + 1] = group
		end
	end
	if #gone > 0 then
		tell("the user '%s' is not kept in the groups %s", u.name, shorten(table.concat(gone, ", ")))
	end
end

local function keep_keys(u)
	local keys = {}
	for _, line in ipairs(guest.lines(u.keys or "")) do
		if line:find("%S") then
			keys[#keys + 1] = line
		end
	end
	local home = find_line("/etc/passwd", u.name)[6] or ""
	if #keys > 0 and is_path(home) then
		common.set_ssh_keys(u.name, keys)
	elseif #keys > 0 then
		tell("the keys of '%s' are not kept: its home directory is '%s' in the new root", u.name, shorten(home))
	end
end

local function keep_user(u)
	local there = find_line("/etc/passwd", u.name)
	if there and math.tointeger(tonumber(there[3])) ~= u.uid then
		tell("the user '%s' has the id %s in the new root, and had %d", u.name, shorten(there[3] or ""), u.uid)
	elseif not there and not add_user(u) then
		tell("the user '%s' is not kept: its id %d is another's in the new root", u.name, u.uid)
		return
	end
	if u.hash then
		set_hash(u.name, u.hash)
	end
	keep_keys(u)
	tell_groups(u)
end

local function apply(kept)
	if kept.machine_id and #kept.machine_id == 32 then
		guest.write("/etc/machine-id", kept.machine_id .. "\n", 292) -- 0444
	end
	for _, text in ipairs(args.config or {}) do
		tell("%s", text)
	end
	for _, text in ipairs(kept.notices) do
		tell("%s", text)
	end
	for name, text in pairs(kept.host_keys) do
		-- 0600, and 0644 for the public half.
		guest.write("/etc/ssh/" .. name, text, name:find("%.pub$") and 420 or 384, 0, 0)
	end
	for _, u in ipairs(kept.users) do
		keep_user(u)
	end
	return { changed = guest.changed, notices = notices }
end

if args.collect then
	return collect()
end
return apply(lxmgr.decode(args.kept[1]))

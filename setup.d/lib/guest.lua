-- SPDX-License-Identifier: LGPL-2.1-or-later
-- What the modules share: files with a record of what changed, and how a guest is looked at.
local guest = { changed = lxmgr.array({}), apply = lxmgr.array({}), notices = lxmgr.array({}) }

-- The first line of whole files of ours.
guest.HEAD = "# Set by lxmgr-setup.\n"
-- The first line of files that lxmgr-start keeps: it writes these anew.
guest.START = "# Written by lxmgr; remove this line to keep your own."

local seen = {}

local function note(path, is)
	if is and not seen[path] then
		seen[path] = true
		guest.changed[#guest.changed + 1] = path
	end
	return is
end

function guest.notice(text)
	guest.notices[#guest.notices + 1] = text
end

-- A command of the guest's own, by absolute path, for when it runs.
function guest.run(...)
	local argv = { ... }
	if lxmgr.exists(argv[1]) then
		guest.apply[#guest.apply + 1] = argv
	end
end

function guest.write(path, text, mode, uid, gid)
	local dir = path:match("^(.+)/[^/]*$")
	if dir then
		lxmgr.mkdir(dir)
	end
	return note(path, lxmgr.write(path, text, mode, uid, gid))
end

-- In a directory that is there, which may be a user's: from `below` on no link is followed.
function guest.write_below(below, path, text, mode, uid, gid)
	return note(path, lxmgr.write(path, text, mode, uid, gid, below))
end

function guest.remove(path)
	return note(path, lxmgr.remove(path))
end

function guest.link(target, path)
	return note(path, lxmgr.symlink(target, path))
end

function guest.edit_line(path, pattern, line)
	return note(path, lxmgr.edit_line(path, pattern, line))
end

-- True if there is something at path, also a link that leads nowhere.
function guest.has_entry(path)
	return lxmgr.stat(path, true) ~= nil
end

function guest.lines(text)
	local lines = {}
	for line in (text or ""):gmatch("([^\n]*)\n?") do
		lines[#lines + 1] = line
	end
	-- The pattern finds one empty piece more at the end.
	if lines[#lines] == "" then
		lines[#lines] = nil
	end
	return lines
end

-- KEY=VALUE lines as a table, quotes taken off.
function guest.assignments(path)
	local values = {}
	for _, line in ipairs(guest.lines(lxmgr.read(path))) do
		local key, value = line:match("^%s*([%w_]+)=(.*)$")
		if key then
			values[key] = value:gsub("%s+$", ""):gsub("^(['\"])(.*)%1$", "%2")
		end
	end
	return values
end

function guest.os_release()
	local os = guest.assignments("/etc/os-release")
	if not os.ID then
		os = guest.assignments("/usr/lib/os-release")
	end
	return os
end

-- True if os-release names one of the distributions, itself or as what it is like.
function guest.is_like(...)
	local os = guest.os_release()
	local words = " " .. (os.ID or "") .. " " .. (os.ID_LIKE or "") .. " "
	for _, id in ipairs({ ... }) do
		if words:find(" " .. id .. " ", 1, true) then
			return true
		end
	end
	return false
end

local WANTS = { "multi-user.target.wants", "sysinit.target.wants", "network-online.target.wants",
	"sockets.target.wants", "network.target.wants" }

-- A unit that is installed and that the guest's systemd starts.
function guest.is_enabled(unit)
	if guest.has_entry("/etc/systemd/system/" .. unit) then
		local st = lxmgr.stat("/etc/systemd/system/" .. unit, true)
		if st.target == "/dev/null" then
			return false
		end
	end
	if not (lxmgr.exists("/usr/lib/systemd/system/" .. unit)
		or lxmgr.exists("/lib/systemd/system/" .. unit)) then
		return false
	end
	for _, dir in ipairs(WANTS) do
		if guest.has_entry("/etc/systemd/system/" .. dir .. "/" .. unit)
			or guest.has_entry("/usr/lib/systemd/system/" .. dir .. "/" .. unit) then
			return true
		end
	end
	return false
end

-- A line of key and value, as sysconfig has it, in a file that other lines stay in.
function guest.assign(path, key, value)
	local dir = path:match("^(.+)/[^/]*$")
	lxmgr.mkdir(dir)
	return guest.edit_line(path, "^%s*" .. key .. "=", value and key .. "=" .. value or nil)
end

return guest

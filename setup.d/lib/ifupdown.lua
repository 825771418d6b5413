-- SPDX-License-Identifier: LGPL-2.1-or-later
-- /etc/network/interfaces: ifupdown, ifupdown-ng and busybox's. The first address of each kind is
-- the stanza's, the others and the routes are commands, which all three run.
local guest = require("guest")
local ifupdown = { name = "ifupdown" }

local FILE = "/etc/network/interfaces"
local OFF = "#lxmgr-setup: "
local STANZAS = { "^iface%s", "^auto%s", "^allow%-%S+%s", "^mapping%s", "^source%s", "^source%-directory%s",
	"^no%-auto%-down%s", "^no%-scripts%s", "^rename%s", "^template%s" }

function ifupdown.is_used()
	return lxmgr.exists("/sbin/ifup") or lxmgr.exists("/usr/sbin/ifup")
end

local function begins_stanza(line)
	for _, p in ipairs(STANZAS) do
		if line:find(p) then
			return true
		end
	end
	return false
end

-- "auto a b" without one of them; nil if that is not in it, "" if nothing is left.
local function without(line, name)
	local first, rest = line:gsub("^%s+", ""):match("^(%S+)%s+(.*)$")
	if first ~= "auto" and not (first or ""):find("^allow%-") then
		return nil
	end
	local others, found = {}, false
	for word in rest:gmatch("%S+") do
		if word == name then
			found = true
		else
			others[#others + 1] = word
		end
	end
	return found and (#others > 0 and first .. " " .. table.concat(others, " ") or "") or nil
end

-- The lines without what we wrote for the interface; what we had put out of use is back.
local function restored(text, name)
	local lines, ours, shortened = {}, false, nil
	for _, line in ipairs(guest.lines(text)) do
		if line == "# lxmgr-setup " .. name .. " begins" then
			ours = true
		elseif line == "# lxmgr-setup " .. name .. " ends" then
			ours = false
		elseif not ours and line ~= shortened then
			local was = line:match("^" .. OFF:gsub("%p", "%%%0") .. name:gsub("%p", "%%%0") .. ": (.*)$")
			-- What was left of it stands in the next line.
			shortened = was and without(was, name)
			lines[#lines + 1] = was or line
		else
			shortened = nil
		end
	end
	while lines[#lines] == "" do
		lines[#lines] = nil
	end
	return lines
end

local function restore(name)
	local old = lxmgr.read(FILE) or ""
	if old:find(guest.START, 1, true) then
		old = "auto lo\niface lo inet loopback\n"
	end
	return restored(old, name)
end

-- The interface's own stanzas out of use.
local function disable(old, name)
	local lines, mine = {}, false
	for _, line in ipairs(old) do
		local bare = line:gsub("^%s+", "")
		local rest = nil
		if begins_stanza(bare) then
			rest = without(bare, name)
			mine = rest ~= nil or bare:match("^iface%s+(%S+)") == name
		end
		if mine and bare ~= "" and not bare:find("^#") then
			lines[#lines + 1] = OFF .. name .. ": " .. line
		else
			lines[#lines + 1] = line
		end
		if rest and rest ~= "" then
			lines[#lines + 1] = rest
			mine = false
		end
	end
	return lines
end

-- The files that "source" and "source-directory" name: "DIR/*", "DIR/*.cfg", "FILE", and a directory.
local function sourced(lines)
	local files = {}
	local function add(dir, pattern)
		for _, name in ipairs(lxmgr.list(dir) or {}) do
			local st = name:find(pattern) and lxmgr.stat(dir .. "/" .. name)
			if st and st.type == "file" then
				files[#files + 1] = dir .. "/" .. name
			end
		end
	end
	for _, line in ipairs(lines) do
		local what, path = line:match("^%s*(source%S*)%s+(%S+)")
		path = path and (path:find("^/") and path or "/etc/network/" .. path)
		if what == "source-directory" then
			add(path:gsub("/+$", ""), "^[%w_-]+$")
		elseif what == "source" then
			local dir, name = path:match("^(.*)/([^/]*)$")
			add(dir, "^" .. name:gsub("[^%w*]", "%%%0"):gsub("%*", ".*") .. "$")
		end
	end
	return files
end

-- Beside our stanza another one of the interface would stay in force there.
local function set_sourced(lines, name, off)
	for _, file in ipairs(sourced(lines)) do
		local old = restored(lxmgr.read(file) or "", name)
		local new = off and disable(old, name) or old
		if table.concat(guest.lines(lxmgr.read(file)), "\n") ~= table.concat(new, "\n") then
			guest.write(file, table.concat(new, "\n") .. "\n")
		end
	end
end

local function stanza(out, net, family)
	local word = family == 4 and "inet" or "inet6"
	local ip = family == 4 and "ip" or "ip -6"
	local first = true
	for _, a in ipairs(net.addresses) do
		if a.family == family and first then
			out[#out + 1] = ("iface %s %s static\n\taddress %s"):format(net.name, word, a.text)
			first = false
		elseif a.family == family then
			out[#out + 1] = ("\tup %s addr replace %s dev %s"):format(ip, a.text, net.name)
		end
	end
	for _, r in ipairs(net.routes) do
		if r.family == family then
			if first then
				out[#out + 1] = ("iface %s %s manual\n\tup ip link set %s up"):format(net.name, word, net.name)
				first = false
			end
			out[#out + 1] = ("\tup %s route replace %s via %s dev %s%s"):format(ip, r.dest, r.gateway,
				net.name, r.onlink and " onlink" or "")
		end
	end
end

function ifupdown.set(net)
	local lines = restore(net.name)
	local is_set = net.dhcp or #net.addresses > 0 or #net.routes > 0
	set_sourced(lines, net.name, is_set)
	if is_set then
		lines = disable(lines, net.name)
		if #lines == 0 then
			lines = { "auto lo", "iface lo inet loopback" }
		end
		lines[#lines + 1] = ""
		lines[#lines + 1] = "# lxmgr-setup " .. net.name .. " begins"
		lines[#lines + 1] = "auto " .. net.name
		if net.dhcp then
			lines[#lines + 1] = "iface " .. net.name .. " inet dhcp"
		end
		stanza(lines, net, 4)
		stanza(lines, net, 6)
		lines[#lines + 1] = "# lxmgr-setup " .. net.name .. " ends"
	end
	if guest.write(FILE, table.concat(lines, "\n") .. "\n") then
		for _, dir in ipairs({ "/sbin/", "/usr/sbin/" }) do
			if lxmgr.exists(dir .. "ifup") then
				guest.run(dir .. "ifdown", "--force", net.name)
				guest.run(dir .. "ifup", net.name)
				break
			end
		end
	end
end

function ifupdown.get(name)
	local found = { addresses = lxmgr.array({}), routes = lxmgr.array({}), dhcp = false }
	local ours = false
	for _, line in ipairs(guest.lines(lxmgr.read(FILE))) do
		if line == "# lxmgr-setup " .. name .. " begins" then
			ours = true
		elseif line == "# lxmgr-setup " .. name .. " ends" then
			ours = false
		elseif ours then
			found.dhcp = found.dhcp or line:find("inet dhcp$") ~= nil
			found.addresses[#found.addresses + 1] = line:match("^\taddress (%S+)")
				or line:match("addr replace (%S+)")
			local dest, gateway = line:match("route replace (%S+) via (%S+)")
			if dest then
				found.routes[#found.routes + 1] = dest .. "=" .. gateway
			end
		end
	end
	return found
end

return ifupdown

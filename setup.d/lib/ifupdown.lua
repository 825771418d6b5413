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

-- The file without what we wrote for the interface; what we had put out of use is back.
local function restore(name)
	local lines, ours = {}, false
	local old = lxmgr.read(FILE) or ""
	if old:find(guest.START, 1, true) then
		old = "auto lo\niface lo inet loopback\n"
	end
	for _, line in ipairs(guest.lines(old)) do
		if line == "# lxmgr-setup " .. name .. " begins" then
			ours = true
		elseif line == "# lxmgr-setup " .. name .. " ends" then
			ours = false
		elseif not ours then
			local was = line:match("^" .. OFF:gsub("%p", "%%%0") .. name:gsub("%p", "%%%0") .. ": (.*)$")
			lines[#lines + 1] = was or line
		end
	end
	while lines[#lines] == "" do
		lines[#lines] = nil
	end
	return lines
end

-- The interface's own stanzas out of use.
local function disable(lines, name)
	local mine = false
	for i, line in ipairs(lines) do
		local bare = line:gsub("^%s+", "")
		if begins_stanza(bare) then
			local first, rest = bare:match("^(%S+)%s+(.*)$")
			mine = first == "iface" and rest:match("^%S+") == name
			if first == "auto" or first:find("^allow%-") then
				local others, found = {}, false
				for word in rest:gmatch("%S+") do
					if word == name then
						found = true
					else
						others[#others + 1] = word
					end
				end
				if found and #others == 0 then
					mine = true
				elseif found then
					lines[i] = first .. " " .. table.concat(others, " ")
				end
			end
		end
		if mine and bare ~= "" and not bare:find("^#") then
			lines[i] = OFF .. name .. ": " .. line
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
	if net.dhcp or #net.addresses > 0 or #net.routes > 0 then
		disable(lines, net.name)
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

-- SPDX-License-Identifier: LGPL-2.1-or-later
-- OpenWrt: sections of /etc/config/network, which netifd reads. One of ours is named after the
-- interface; another section that has the same device is put out of use.
local guest = require("guest")
local netifd = { name = "netifd" }

local FILE = "/etc/config/network"

-- The file as sections, each with its lines; what stands before the first is section 0.
function netifd.sections(path)
	local all = { { lines = {} } }
	for _, line in ipairs(guest.lines(lxmgr.read(path))) do
		local kind, name = line:match("^config%s+['\"]?([%w_-]+)['\"]?%s*['\"]?([%w_-]*)['\"]?%s*$")
		if kind then
			all[#all + 1] = { kind = kind, name = name, lines = {}, options = {} }
		end
		local s = all[#all]
		s.lines[#s.lines + 1] = line
		local key, value = line:match("^%s+option%s+['\"]?([%w_-]+)['\"]?%s+['\"]?(.-)['\"]?%s*$")
		if key and s.options then
			s.options[key] = value
		end
	end
	return all
end

function netifd.write(path, all)
	local lines = {}
	for _, s in ipairs(all) do
		for _, line in ipairs(s.lines) do
			lines[#lines + 1] = line
		end
		if #s.lines > 0 and s.lines[#s.lines] ~= "" then
			lines[#lines + 1] = ""
		end
	end
	return guest.write(path, table.concat(lines, "\n") .. "\n")
end

local function quoted(word)
	return "'" .. word .. "'"
end

local function own_name(name)
	return "lxmgr_" .. name:gsub("[^%w]", "_")
end

local function own_section(net)
	local six = own_name(net.name)
	local lines = { "config interface " .. quoted(six), "\toption device " .. quoted(net.name),
		"\toption proto " .. quoted(net.dhcp and "dhcp" or "static") }
	for _, a in ipairs(net.addresses) do
		lines[#lines + 1] = "\tlist " .. (a.family == 4 and "ipaddr " or "ip6addr ") .. quoted(a.text)
	end
	return { lines = lines }
end

local function route_sections(net, all)
	for _, r in ipairs(net.routes) do
		local kind = r.family == 4 and "route" or "route6"
		local dest = r.dest ~= "default" and r.dest or r.family == 4 and "0.0.0.0/0" or "::/0"
		local lines = { "config " .. kind, "\toption interface " .. quoted(own_name(net.name)),
			"\toption target " .. quoted(dest), "\toption gateway " .. quoted(r.gateway) }
		if r.onlink then
			lines[#lines + 1] = "\toption onlink '1'"
		end
		all[#all + 1] = { lines = lines }
	end
end

function netifd.is_used()
	return lxmgr.exists("/sbin/netifd")
end

function netifd.set(net)
	local all, own = {}, own_name(net.name)
	for _, s in ipairs(netifd.sections(FILE)) do
		local o = s.options or {}
		local ours = s.name == own or o.interface == own
		if not ours and s.kind == "interface" and (o.device == net.name or o.ifname == net.name) then
			-- auto 0: it is not brought up.
			if o.auto ~= "0" then
				table.insert(s.lines, 2, "\toption auto '0'")
			end
		end
		if not ours then
			all[#all + 1] = s
		end
	end
	if net.dhcp or #net.addresses > 0 or #net.routes > 0 then
		all[#all + 1] = own_section(net)
		route_sections(net, all)
	end
	netifd.write(FILE, all)
	guest.run("/etc/init.d/network", "reload")
end

function netifd.get(name)
	local found = { addresses = lxmgr.array({}), routes = lxmgr.array({}), dhcp = false }
	local own = own_name(name)
	for _, s in ipairs(netifd.sections(FILE)) do
		local o = s.options or {}
		if s.name == own then
			found.dhcp = o.proto == "dhcp"
			for _, line in ipairs(s.lines) do
				found.addresses[#found.addresses + 1] = line:match("^\tlist ip6?addr '([^']+)'")
			end
		elseif o.interface == own and o.gateway then
			local dest = (o.target == "0.0.0.0/0" or o.target == "::/0") and "default" or o.target
			found.routes[#found.routes + 1] = dest .. "=" .. o.gateway
		end
	end
	return found
end

-- The servers of all interfaces of ours and of the others: dnsmasq's own list.
function netifd.set_resolver(servers, search)
	local all = netifd.sections("/etc/config/dhcp")
	for _, s in ipairs(all) do
		if s.kind == "dnsmasq" then
			local lines = {}
			for _, line in ipairs(s.lines) do
				if not line:find("^%s+list%s+['\"]?server") and not line:find("^%s+option%s+['\"]?noresolv")
					and not line:find("^%s+option%s+['\"]?domain['\"%s]") and line ~= "" then
					lines[#lines + 1] = line
				end
			end
			if #servers > 0 then
				lines[#lines + 1] = "\toption noresolv '1'"
			end
			for _, server in ipairs(servers) do
				lines[#lines + 1] = "\tlist server " .. quoted(server)
			end
			if search[1] then
				lines[#lines + 1] = "\toption domain " .. quoted(search[1])
			end
			s.lines = lines
			netifd.write("/etc/config/dhcp", all)
			guest.run("/etc/init.d/dnsmasq", "restart")
			return true
		end
	end
	return false
end

return netifd

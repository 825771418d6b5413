-- SPDX-License-Identifier: LGPL-2.1-or-later
-- ifcfg files: Red Hat's network-scripts (legacy network service) and SUSE's wicked.
local guest = require("guest")
local sysconfig = {}

-- Values of IPADDR-like keys, and the lines of a route file, as show() finds them again.
local function get(ifcfg, routes)
	local found = { addresses = lxmgr.array({}), routes = lxmgr.array({}), dhcp = false }
	local text = lxmgr.read(ifcfg) or ""
	if not text:find(guest.HEAD, 1, true) then
		return found
	end
	for _, line in ipairs(guest.lines(text)) do
		found.dhcp = found.dhcp or line:find("^BOOTPROTO='?dhcp") ~= nil
		found.addresses[#found.addresses + 1] = line:match("^# address (%S+)$")
			or line:match("^IPADDR[_%d]*='([^']+)'$")
	end
	for _, file in ipairs(routes) do
		for _, line in ipairs(guest.lines(lxmgr.read(file))) do
			local dest, gateway = line:match("^(%S+) via (%S+)")
			if not dest then
				dest, gateway = line:match("^(%S+) (%S+) %-")
			end
			-- A gateway "-" is the way to a gateway.
			if dest and dest ~= "#" and gateway ~= "-" then
				found.routes[#found.routes + 1] = dest .. "=" .. gateway
			end
		end
	end
	return found
end

local function is_empty(net)
	return not net.dhcp and #net.addresses == 0 and #net.routes == 0
end

-- Red Hat: ifcfg-NAME with route-NAME and route6-NAME in the words of ip(8).
sysconfig.redhat = { name = "network-scripts" }
local REDHAT = "/etc/sysconfig/network-scripts/"

function sysconfig.redhat.is_used()
	return lxmgr.exists("/etc/sysconfig/network-scripts/ifup-eth")
		or lxmgr.exists("/etc/rc.d/init.d/network")
end

local function redhat_routes(net, family)
	local text = ""
	for _, r in ipairs(net.routes) do
		if r.family == family then
			text = text .. r.dest .. " via " .. r.gateway .. " dev " .. net.name
				.. (r.onlink and " onlink" or "") .. "\n"
		end
	end
	local path = REDHAT .. (family == 4 and "route-" or "route6-") .. net.name
	if text == "" then
		guest.remove(path)
	else
		guest.write(path, guest.HEAD .. text)
	end
end

function sysconfig.redhat.set(net)
	local path = REDHAT .. "ifcfg-" .. net.name
	if is_empty(net) then
		guest.remove(path)
	else
		local text = guest.HEAD .. "DEVICE=" .. net.name .. "\nTYPE=Ethernet\nONBOOT=yes\nBOOTPROTO="
			.. (net.dhcp and "dhcp" or "none") .. "\n"
		local n, six = 0, {}
		for _, a in ipairs(net.addresses) do
			text = text .. "# address " .. a.text .. "\n"
			local ip, prefix = a.text:match("^(.+)/(%d+)$")
			if a.family == 4 then
				text = text .. "IPADDR" .. n .. "=" .. ip .. "\nPREFIX" .. n .. "=" .. prefix .. "\n"
				n = n + 1
			else
				six[#six + 1] = a.text
			end
		end
		if #six > 0 then
			text = text .. "IPV6INIT=yes\nIPV6_AUTOCONF=no\nIPV6ADDR=" .. table.remove(six, 1) .. "\n"
		end
		if #six > 0 then
			text = text .. 'IPV6ADDR_SECONDARIES="' .. table.concat(six, " ") .. '"\n'
		end
		guest.write(path, text)
	end
	redhat_routes(net, 4)
	redhat_routes(net, 6)
	guest.run("/usr/sbin/ifup", net.name)
end

function sysconfig.redhat.get(name)
	return get(REDHAT .. "ifcfg-" .. name, { REDHAT .. "route-" .. name, REDHAT .. "route6-" .. name })
end

-- SUSE: ifcfg-NAME and ifroute-NAME, read by wicked.
sysconfig.suse = { name = "wicked" }
local SUSE = "/etc/sysconfig/network/"

function sysconfig.suse.is_used()
	return guest.is_enabled("wicked.service") or guest.is_enabled("wickedd.service")
end

function sysconfig.suse.set(net)
	local path, routes = SUSE .. "ifcfg-" .. net.name, SUSE .. "ifroute-" .. net.name
	if is_empty(net) then
		guest.remove(path)
		guest.remove(routes)
	else
		local text = guest.HEAD .. "STARTMODE='auto'\nBOOTPROTO='" .. (net.dhcp and "dhcp" or "static") .. "'\n"
		for i, a in ipairs(net.addresses) do
			text = text .. "IPADDR" .. (i > 1 and "_" .. i - 1 or "") .. "='" .. a.text .. "'\n"
		end
		guest.write(path, text)
		text = ""
		for _, r in ipairs(net.routes) do
			-- One of the link itself needs no way to it.
			if r.onlink and not r.gateway:find("^fe80:") then
				text = text .. r.gateway .. (r.family == 4 and "/32" or "/128") .. " - - " .. net.name .. "\n"
			end
			text = text .. r.dest .. " " .. r.gateway .. " - " .. net.name .. "\n"
		end
		if text == "" then
			guest.remove(routes)
		else
			guest.write(routes, guest.HEAD .. text)
		end
	end
	guest.run("/usr/sbin/wicked", "ifreload", net.name)
end

function sysconfig.suse.get(name)
	return get(SUSE .. "ifcfg-" .. name, { SUSE .. "ifroute-" .. name })
end

-- netconfig writes resolv.conf from this.
function sysconfig.suse_resolver(servers, search)
	guest.assign(SUSE .. "config", "NETCONFIG_DNS_STATIC_SERVERS", '"' .. table.concat(servers, " ") .. '"')
	guest.assign(SUSE .. "config", "NETCONFIG_DNS_STATIC_SEARCHLIST", '"' .. table.concat(search, " ") .. '"')
	guest.run("/sbin/netconfig", "update", "-f")
end

return sysconfig

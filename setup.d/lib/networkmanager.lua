-- SPDX-License-Identifier: LGPL-2.1-or-later
-- NetworkManager's keyfiles.
local guest = require("guest")
local nm = { name = "NetworkManager" }

local function path(name)
	return "/etc/NetworkManager/system-connections/lxmgr-setup-" .. name .. ".nmconnection"
end

function nm.is_used()
	return guest.is_enabled("NetworkManager.service")
end

local function section(net, family)
	local method = net.dhcp and "auto" or family == 4 and "disabled" or "link-local"
	local text, n = "", 0
	for _, a in ipairs(net.addresses) do
		if a.family == family then
			n = n + 1
			text = text .. "address" .. n .. "=" .. a.text .. "\n"
			method = net.dhcp and "auto" or "manual"
		end
	end
	n = 0
	for _, r in ipairs(net.routes) do
		if r.family == family then
			n = n + 1
			local dest = r.dest ~= "default" and r.dest or family == 4 and "0.0.0.0/0" or "::/0"
			text = text .. "route" .. n .. "=" .. dest .. "," .. r.gateway .. "\n"
			if r.onlink then
				text = text .. "route" .. n .. "_options=onlink=true\n"
			end
		end
	end
	if family == 6 then
		text = text .. "addr-gen-mode=eui64\n"
	end
	return "\n[ipv" .. family .. "]\nmethod=" .. method .. "\n" .. text
end

function nm.set(net)
	if not net.dhcp and #net.addresses == 0 and #net.routes == 0 then
		if guest.remove(path(net.name)) then
			guest.run("/usr/bin/nmcli", "connection", "reload")
		end
	else
		guest.write(path(net.name), guest.HEAD .. "[connection]\nid=lxmgr-setup-" .. net.name
			.. "\ntype=ethernet\ninterface-name=" .. net.name
			.. "\nautoconnect=true\nautoconnect-priority=100\n" .. section(net, 4) .. section(net, 6), 384)
		guest.run("/usr/bin/nmcli", "connection", "reload")
		guest.run("/usr/bin/nmcli", "connection", "up", "lxmgr-setup-" .. net.name)
	end
end

function nm.get(name)
	local found = { addresses = lxmgr.array({}), routes = lxmgr.array({}), dhcp = false }
	for _, line in ipairs(guest.lines(lxmgr.read(path(name)))) do
		found.dhcp = found.dhcp or line == "method=auto"
		found.addresses[#found.addresses + 1] = line:match("^address%d+=([^,]+)")
		local dest, gateway = line:match("^route%d+=([^,]+),(%S+)")
		if dest then
			dest = (dest == "0.0.0.0/0" or dest == "::/0") and "default" or dest
			found.routes[#found.routes + 1] = dest .. "=" .. gateway
		end
	end
	return found
end

return nm

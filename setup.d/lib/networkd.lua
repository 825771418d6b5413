-- SPDX-License-Identifier: LGPL-2.1-or-later
-- systemd-networkd.
local guest = require("guest")
local networkd = { name = "systemd-networkd" }

local function path(name)
	return "/etc/systemd/network/06-lxmgr-setup-" .. name .. ".network"
end

function networkd.is_used()
	return guest.is_enabled("systemd-networkd.service")
end

function networkd.set(net)
	if not net.dhcp and #net.addresses == 0 and #net.routes == 0 then
		guest.remove(path(net.name))
	else
		local text = guest.HEAD .. "[Match]\nName=" .. net.name .. "\n\n[Network]\n"
		if net.dhcp then
			text = text .. "DHCP=yes\n"
		else
			text = text .. "DHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6\n"
		end
		for _, a in ipairs(net.addresses) do
			text = text .. "Address=" .. a.text .. "\n"
		end
		for _, r in ipairs(net.routes) do
			text = text .. "\n[Route]\n"
			if r.dest ~= "default" then
				text = text .. "Destination=" .. r.dest .. "\n"
			end
			text = text .. "Gateway=" .. r.gateway .. "\n"
			if r.onlink then
				text = text .. "GatewayOnLink=yes\n"
			end
		end
		guest.write(path(net.name), text)
	end
	guest.run("/usr/bin/networkctl", "reload")
end

function networkd.get(name)
	local found = { addresses = lxmgr.array({}), routes = lxmgr.array({}), dhcp = false }
	local dest
	for _, line in ipairs(guest.lines(lxmgr.read(path(name)))) do
		found.addresses[#found.addresses + 1] = line:match("^Address=(.+)$")
		found.dhcp = found.dhcp or line == "DHCP=yes"
		if line == "[Route]" then
			dest = "default"
		end
		dest = line:match("^Destination=(.+)$") or dest
		local gateway = line:match("^Gateway=(.+)$")
		if gateway then
			found.routes[#found.routes + 1] = dest .. "=" .. gateway
		end
	end
	return found
end

return networkd

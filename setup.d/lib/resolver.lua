-- SPDX-License-Identifier: LGPL-2.1-or-later
-- /etc/resolv.conf, or what feeds the service that writes it.
local guest = require("guest")
local resolver = {}

local RESOLVED = "/etc/systemd/resolved.conf.d/10-lxmgr-setup.conf"
local NM = "/etc/NetworkManager/conf.d/10-lxmgr-setup.conf"

-- networkd gives resolved the servers of lxmgr-start's file for each interface: not these then.
local function resolved(servers, search, interfaces)
	local text = "DNS=\n"
	for _, s in ipairs(servers) do
		text = text .. "DNS=" .. s .. "\n"
	end
	text = text .. "Domains=\n"
	if #search > 0 then
		text = text .. "Domains=" .. table.concat(search, " ") .. "\n"
	end
	guest.write(RESOLVED, guest.HEAD .. "[Resolve]\n" .. text)
	for _, name in ipairs(interfaces) do
		guest.write("/etc/systemd/network/05-lxmgr-" .. name .. ".network.d/lxmgr-setup.conf",
			guest.HEAD .. "[Network]\nDNS=\n")
	end
	guest.run("/usr/bin/networkctl", "reload")
	guest.run("/usr/bin/systemctl", "try-restart", "systemd-resolved.service")
end

local function networkmanager(servers, search)
	guest.write(NM, guest.HEAD .. "[global-dns]\nsearches=" .. table.concat(search, ",")
		.. "\n[global-dns-domain-*]\nservers=" .. table.concat(servers, ",") .. "\n")
	guest.run("/usr/bin/nmcli", "general", "reload")
end

local function resolv_conf(servers, search)
	local text = guest.HEAD
	if #search > 0 then
		text = text .. "search " .. table.concat(search, " ") .. "\n"
	end
	for _, s in ipairs(servers) do
		text = text .. "nameserver " .. s .. "\n"
	end
	guest.write("/etc/resolv.conf", text, 420) -- 0644
	return text
end

-- What a link in place of resolv.conf means.
function resolver.set(servers, search, interfaces)
	local st = lxmgr.stat("/etc/resolv.conf", true)
	local target = st and st.target or ""
	if target:find("systemd/resolve/", 1, true) and guest.is_enabled("systemd-resolved.service") then
		return resolved(servers, search, interfaces)
	end
	if target:find("resolvconf/", 1, true) and (lxmgr.exists("/sbin/resolvconf")
		or lxmgr.exists("/usr/sbin/resolvconf")) then
		local text = ""
		for _, s in ipairs(servers) do
			text = text .. "nameserver " .. s .. "\n"
		end
		if #search > 0 then
			text = text .. "search " .. table.concat(search, " ") .. "\n"
		end
		guest.write("/etc/resolvconf/resolv.conf.d/head", guest.HEAD .. text)
		guest.run("/sbin/resolvconf", "-u")
		return
	end
	if guest.is_enabled("NetworkManager.service") then
		networkmanager(servers, search)
		if target:find("NetworkManager/", 1, true) then
			return
		end
	end
	resolv_conf(servers, search)
end

return resolver

-- SPDX-License-Identifier: LGPL-2.1-or-later
-- OpenWrt: everything stands in /etc/config (UCI).
local guest = require("guest")
local common = require("common")
local netifd = require("netifd")

local openwrt = setmetatable({ family = "openwrt" }, { __index = common })
openwrt.services = { netifd }

local SYSTEM = "/etc/config/system"

function openwrt.match()
	return guest.is_like("openwrt") or lxmgr.exists("/etc/openwrt_release")
end

-- An option of the section `system`.
local function set_system(key, value)
	local all = netifd.sections(SYSTEM)
	local found
	for _, s in ipairs(all) do
		found = found or s.kind == "system" and s
	end
	if not found then
		found = { lines = { "config system" } }
		all[#all + 1] = found
	end
	local lines = {}
	for _, line in ipairs(found.lines) do
		if not line:find("^%s+option%s+['\"]?" .. key .. "['\"%s]") and line ~= "" then
			lines[#lines + 1] = line
		end
	end
	lines[#lines + 1] = "\toption " .. key .. " '" .. value .. "'"
	found.lines = lines
	netifd.write(SYSTEM, all)
end

local function get_system(key)
	for _, s in ipairs(netifd.sections(SYSTEM)) do
		if s.kind == "system" then
			return s.options[key]
		end
	end
	return nil
end

function openwrt.set_hostname(name)
	common.set_hostname(name)
	set_system("hostname", name)
	guest.run("/etc/init.d/system", "reload")
end

function openwrt.check(name, args)
	common.check_user(name, args)
	if args.timezone and not args.tz then
		error("the host has no rule for the time zone '" .. args.timezone[1] .. "' (is tzdata installed?)", 0)
	end
	if args.locale then
		error("OpenWrt has no locales", 0)
	end
end

-- It has no zoneinfo: the rule itself is what counts.
function openwrt.set_timezone(zone, rule)
	set_system("zonename", zone)
	set_system("timezone", rule)
	guest.run("/etc/init.d/system", "reload")
end

function openwrt.get_timezone()
	return get_system("zonename")
end

function openwrt.get_locale()
	return nil
end

function openwrt.set_resolver(servers, search)
	if not netifd.set_resolver(servers, search) then
		local text = guest.HEAD
		for _, s in ipairs(servers) do
			text = text .. "nameserver " .. s .. "\n"
		end
		guest.write("/etc/resolv.conf", text)
	end
end

-- dropbear reads root's keys here, and sshd's place for others.
function openwrt.set_ssh_keys(name, keys)
	common.set_ssh_keys(name, keys)
	if name == "root" and lxmgr.exists("/etc/dropbear") then
		for _, key in ipairs(keys) do
			if lxmgr.append_line("/etc/dropbear/authorized_keys", key) then
				guest.changed[#guest.changed + 1] = "/etc/dropbear/authorized_keys"
			end
		end
		lxmgr.chmod("/etc/dropbear/authorized_keys", 384) -- 0600
	end
end

return openwrt

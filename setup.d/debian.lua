-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Debian, Ubuntu, Devuan, Kali and what is made of them.
local guest = require("guest")
local common = require("common")
local resolver = require("resolver")

local debian = setmetatable({ family = "debian" }, { __index = common })
debian.services = { require("networkd"), require("networkmanager"), require("ifupdown") }
debian.set_resolver = resolver.set

function debian.match()
	return guest.is_like("debian", "ubuntu", "devuan", "kali") or lxmgr.exists("/etc/debian_version")
end

function debian.set_timezone(zone)
	common.set_timezone(zone)
	guest.write("/etc/timezone", zone .. "\n")
end

-- The packages of Debian make a locale only when it is listed.
function debian.set_locale(locale)
	if not locale:find("^C") and locale ~= "POSIX" then
		local charset = locale:match("%.(.+)$") or "ISO-8859-1"
		if not lxmgr.exists("/etc/locale.gen") then
			guest.notice("the guest has no package 'locales', so '" .. locale .. "' is not there yet")
		else
			guest.edit_line("/etc/locale.gen", "^#?%s*" .. locale:gsub("%p", "%%%0") .. "%s",
				locale .. " " .. charset:upper():gsub("^UTF8$", "UTF-8"))
			guest.run("/usr/sbin/locale-gen")
		end
	end
	guest.assign("/etc/default/locale", "LANG", locale)
	if lxmgr.exists("/etc/locale.conf") then
		guest.assign("/etc/locale.conf", "LANG", locale)
	end
end

function debian.get_locale()
	return guest.assignments("/etc/default/locale").LANG or common.get_locale()
end

return debian

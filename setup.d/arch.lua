-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Arch Linux and what is made of it.
local guest = require("guest")
local common = require("common")
local resolver = require("resolver")

local arch = setmetatable({ family = "arch" }, { __index = common })
arch.services = { require("networkd"), require("networkmanager") }
arch.set_resolver = resolver.set

function arch.match()
	return guest.is_like("arch", "archlinux") or lxmgr.exists("/etc/arch-release")
end

function arch.set_locale(locale)
	if not locale:find("^C") and locale ~= "POSIX" then
		local charset = locale:match("%.(.+)$") or "ISO-8859-1"
		guest.edit_line("/etc/locale.gen", "^#?%s*" .. locale:gsub("%p", "%%%0") .. "%s",
			locale .. " " .. charset:upper():gsub("^UTF8$", "UTF-8"))
		guest.run("/usr/bin/locale-gen")
	end
	common.set_locale(locale)
end

return arch

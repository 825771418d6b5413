-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Alpine and busybox: ifupdown-ng or busybox's own, musl.
local guest = require("guest")
local common = require("common")
local resolver = require("resolver")

local alpine = setmetatable({ family = "alpine" }, { __index = common })
alpine.services = { require("ifupdown") }
alpine.set_resolver = resolver.set

local PROFILE = "/etc/profile.d/10lxmgr-locale.sh"

function alpine.match()
	local os = guest.os_release()
	return guest.is_like("alpine") or lxmgr.exists("/etc/alpine-release")
		or (not os.ID and lxmgr.exists("/bin/busybox"))
end

-- Alpine keeps a copy, so that tzdata may go again; the name stands in /etc/timezone.
function alpine.set_timezone(zone)
	common.set_timezone(zone)
	guest.write("/etc/timezone", zone .. "\n")
end

-- musl knows UTF-8 alone: what is left of a locale is a variable.
function alpine.set_locale(locale)
	guest.write(PROFILE, guest.HEAD .. "export LANG=" .. locale .. "\n")
end

function alpine.get_locale()
	return (lxmgr.read(PROFILE) or ""):match("LANG=(%S+)")
end

return alpine

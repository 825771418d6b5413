-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Fedora, RHEL, CentOS, Rocky, Alma: NetworkManager, networkd or the old network scripts.
local guest = require("guest")
local common = require("common")
local resolver = require("resolver")

local fedora = setmetatable({ family = "fedora" }, { __index = common })
fedora.services = { require("networkmanager"), require("networkd"), require("sysconfig").redhat }
fedora.set_resolver = resolver.set

function fedora.match()
	return guest.is_like("fedora", "rhel", "centos") or lxmgr.exists("/etc/redhat-release")
end

function fedora.set_locale(locale)
	common.set_locale(locale)
	local language = locale:match("^(%l+)_")
	if language and not lxmgr.exists("/usr/lib/locale/" .. locale:gsub("%.UTF%-8$", ".utf8")) then
		guest.notice("the guest may lack the package glibc-langpack-" .. language)
	end
end

return fedora

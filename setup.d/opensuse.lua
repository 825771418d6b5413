-- SPDX-License-Identifier: LGPL-2.1-or-later
-- openSUSE and SLES: wicked, or NetworkManager.
local guest = require("guest")
local common = require("common")
local resolver = require("resolver")
local sysconfig = require("sysconfig")

local suse = setmetatable({ family = "opensuse" }, { __index = common })
suse.services = { sysconfig.suse, require("networkmanager"), require("networkd") }

function suse.match()
	return guest.is_like("suse", "opensuse", "sles", "opensuse-leap", "opensuse-tumbleweed")
end

function suse.set_resolver(servers, search, interfaces)
	if sysconfig.suse.is_used() then
		sysconfig.suse_resolver(servers, search)
		-- It writes resolv.conf, and leaves one alone that somebody else has written.
		if lxmgr.exists("/sbin/netconfig") then
			return
		end
	end
	resolver.set(servers, search, interfaces)
end

return suse

-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Picks the module of the guest's family and lets it do what was asked for.
local guest = require("guest")
local args = lxmgr.args

local function family()
	for _, name in ipairs(lxmgr.libs) do
		-- These two are scripts: they would do their work.
		local m = name ~= "main" and name ~= "keep" and require(name)
		if type(m) == "table" and m.match then
			if m.match() then
				return m
			end
		end
	end
	error("no module of setup.d knows this guest: it has neither /etc/os-release nor another mark of its family", 0)
end

local function service_of(m)
	for _, s in ipairs(m.services) do
		if s.is_used() then
			return s
		end
	end
	return nil
end

-- "4 10.0.0.1/24", "4 default 10.0.0.254 onlink": the tool has checked and sorted them out.
local function network()
	local net = { name = args.interface[1], addresses = {}, routes = {}, dhcp = args.dhcp ~= nil }
	for _, a in ipairs(args.address or {}) do
		local f, text = a:match("^(%d) (%S+)$")
		net.addresses[#net.addresses + 1] = { family = math.tointeger(tonumber(f)), text = text }
	end
	for _, r in ipairs(args.route or {}) do
		local f, dest, gateway, how = r:match("^(%d) (%S+) (%S+) ?(%S*)$")
		net.routes[#net.routes + 1] = { family = math.tointeger(tonumber(f)), dest = dest,
			gateway = gateway, onlink = how == "onlink" }
	end
	return net
end

local function set(m)
	local user = args.user and args.user[1] or "root"
	local service = args.network and (service_of(m)
		or error("the guest has no network service that this family's module knows", 0))
	m.check(user, args)
	if args.hostname then
		m.set_hostname(args.hostname[1])
	end
	if service then
		service.set(network())
	end
	if args.resolver then
		m.set_resolver(args.nameserver or {}, args.search or {}, args.interfaces or {})
	end
	if args.set_hosts then
		m.set_hosts(args.hosts or {})
	end
	if args.timezone then
		m.set_timezone(args.timezone[1], args.tz and args.tz[1])
	end
	if args.locale then
		m.set_locale(args.locale[1])
	end
	if args.password then
		m.set_password(user, args.password[1])
	elseif args.password_hash then
		m.set_password(user, nil, args.password_hash[1])
	end
	if args.ssh_key then
		m.set_ssh_keys(user, args.ssh_key)
	end
end

local function show(m)
	local os = guest.os_release()
	local s = service_of(m)
	local servers, search = m.get_resolver()
	local interfaces = lxmgr.array({})
	for _, name in ipairs(args.interfaces or {}) do
		local found = s and s.get(name) or { addresses = lxmgr.array({}), routes = lxmgr.array({}), dhcp = false }
		found.name = name
		interfaces[#interfaces + 1] = found
	end
	return { family = m.family, os = os.ID, version = os.VERSION_ID, network = s and s.name,
		hostname = (lxmgr.read("/etc/hostname") or ""):match("^%s*(%S+)"),
		timezone = m.get_timezone(), locale = m.get_locale(),
		nameservers = servers, search = search, interfaces = interfaces }
end

-- For an image: what lxmgr-setup wrote of the network of the container that it was.
local function forget()
	local known, m = pcall(family)
	for _, s in ipairs(known and m.services or {}) do
		for _, name in ipairs(args.interfaces or {}) do
			local found = s.get(name)
			if found.dhcp or #found.addresses > 0 or #found.routes > 0 then
				s.set({ name = name, addresses = {}, routes = {} })
			end
		end
	end
	return { changed = guest.changed }
end

if args.forget then
	return forget()
end
local m = family()
if args.show then
	return show(m)
end
set(m)
return { family = m.family, changed = guest.changed, apply = guest.apply, notices = guest.notices }

-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Alpine Linux from a mirror of its packages, checked with the keys that the user trusts.
local apk = require "apk"

local inittab = [[
::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
console::respawn:/sbin/getty 38400 console
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/openrc shutdown
]]

local runlevels = { boot = { "bootmisc", "hostname", "networking", "syslog" }, shutdown = { "killprocs", "savecache" } }

local function read_keys(t)
	local keys = {}
	for _, path in ipairs(t.opt.key) do
		local file = t.open(path)
		if file == true then error(string.format("--key '%s' is a directory", path), 0) end
		keys[path:match("[^/]*$")] = file:read(0, math.min(file:size(), 65536))
		file:close()
	end
	return keys
end

local function fit(t, keys)
	lxmgr.mkdir("/etc/apk/keys")
	for name, text in pairs(keys) do lxmgr.write("/etc/apk/keys/" .. name, text) end
	local lines = {}
	for _, r in ipairs(t.opt.repositories) do lines[#lines + 1] = t.opt.mirror .. "/" .. t.release .. "/" .. r .. "\n" end
	lxmgr.write("/etc/apk/repositories", table.concat(lines))
	lxmgr.write("/etc/inittab", inittab)
	lxmgr.append_line("/etc/rc.conf", 'rc_sys="lxc"')
	lxmgr.mkdir("/etc/network")
	lxmgr.write("/etc/network/interfaces", "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet manual\n")
	for level, services in pairs(runlevels) do
		lxmgr.mkdir("/etc/runlevels/" .. level)
		for _, service in ipairs(services) do
			if lxmgr.exists("/etc/init.d/" .. service) then
				lxmgr.symlink("/etc/init.d/" .. service, "/etc/runlevels/" .. level .. "/" .. service)
			end
		end
	end
	for _, name in ipairs { "/etc/hostname", "/etc/machine-id", "/etc/resolv.conf" } do lxmgr.write(name, "") end
	-- busybox init takes its orders by other signals than systemd and sysvinit.
	t.config("lxmgr.signal.halt", "SIGUSR2")
	t.config("lxmgr.signal.reboot", "SIGTERM")
end

return {
	summary = "Alpine Linux, from its packages.",
	description = "The index must be signed with one of the keys given; each package is checked against it.",
	releases = { "edge", "latest-stable", pattern = "v3%.%d+", default = "latest-stable",
		help = "release: v3.20 and so on, latest-stable or edge" },
	architectures = { x86_64 = "x86_64", aarch64 = "aarch64", i686 = "x86", ppc64le = "ppc64le",
		s390x = "s390x", riscv64 = "riscv64", armv7l = "armv7" },
	options = {
		{ name = "mirror", type = "url", value = "URL", required = true, help = "mirror, without the release",
			missing = "no mirror is known: give --mirror URL, or set lxmgr.mirror.alpine in lxmgr.conf" },
		{ name = "key", type = "file", value = "FILE", many = true, required = true,
			help = "public key of the archive, with its own name; more than once for more",
			missing = "no key is known: give --key FILE with a public key of the archive, from a source you trust" },
		{ name = "repositories", type = "list", value = "A,B", default = "main", help = "repositories" },
		{ name = "packages", type = "list", value = "A,B", help = "more packages" },
	},
	build = function(t)
		local keys, all, world = read_keys(t), {}, { "alpine-base" }
		t.opt.mirror = t.opt.mirror:gsub("/+$", "")
		for _, r in ipairs(t.opt.repositories) do
			t.progress(20, "fetching the index of " .. r)
			apk.index(t, t.opt.mirror .. "/" .. t.release .. "/" .. r, t.arch, keys, all)
		end
		for _, p in ipairs(t.opt.packages or {}) do world[#world + 1] = p end
		local order = apk.resolve(all, world)
		for i, p in ipairs(order) do
			t.progress(50 + 850 * i // #order, "installing " .. p.P)
			apk.install(t, p)
		end
		t.progress(920, "fitting it to a container")
		apk.finish(t, order, world)
		fit(t, keys)
	end,
}

-- SPDX-License-Identifier: LGPL-2.1-or-later
-- What the templates share that take a root from this host.
local import = {}

local function fail(fmt, ...)
	error(string.format(fmt, ...), 0)
end

-- Formats that only the kernel could read: mounting what somebody else made is no way to import it.
local images = {
	{ "hsqs", 0, "squashfs" }, { "\x53\xef", 1080, "ext4" }, { "XFSB", 0, "xfs" },
	{ "_BHRfS_M", 65600, "btrfs" }, { "QFI\xfb", 0, "qcow2" },
}

-- Unpack a directory or an archive that the user named. Archives with rootfs/ in them beside their
-- metadata are those of other managers.
function import.root(t, path, subdir)
	local file = t.open(path)
	if file == true then
		t.unpack(path, { subdir = subdir })
	else
		for _, i in ipairs(images) do
			if file:size() >= i[2] + #i[1] and file:read(i[2], #i[1]) == i[1] then
				fail("'%s' is an image of %s: mount it read-only and give the directory", path, i[3])
			end
		end
		t.unpack(file, { subdir = subdir })
		file:close()
	end
	if not subdir and lxmgr.stat("/rootfs") and not lxmgr.exists("/etc") then
		for _, name in ipairs(lxmgr.list("/") or {}) do
			if name ~= "rootfs" then lxmgr.remove("/" .. name, true) end
		end
		for _, name in ipairs(lxmgr.list("/rootfs") or {}) do
			if name ~= "rootfs" then lxmgr.rename("/rootfs/" .. name, "/" .. name) end
		end
		lxmgr.remove("/rootfs", true)
	end
	if not lxmgr.exists("/bin") and not lxmgr.exists("/usr/bin") and not lxmgr.exists("/sbin") then
		fail("'%s' has no root file system in it: there is no /bin, /sbin or /usr/bin", path)
	end
end

function import.metadata(t, path)
	local file = t.open(path)
	if file == true or file:size() > 65536 then fail("'%s' is no small file", path) end
	for line in file:read():gmatch("[^\n]+") do
		local key, value = line:match("^%s*([%w._-]+)%s*=%s*(.-)%s*$")
		if key then
			t.config(key, value)
		elseif not line:find("^%s*#") and line:find("%S") then
			fail("'%s' has the line '%s'", path, line:sub(1, 80))
		end
	end
	file:close()
end

-- What belongs to the one machine that it was, and not to its copies.
function import.forget_host()
	lxmgr.mkdir("/etc")
	for _, dir in ipairs { "/dev", "/proc", "/sys", "/run" } do
		if not lxmgr.stat(dir, true) then lxmgr.mkdir(dir) end
	end
	local ssh = lxmgr.list("/etc/ssh") or {}
	for _, name in ipairs(ssh) do
		if name:find("^ssh_host_.*_key") then lxmgr.remove("/etc/ssh/" .. name) end
	end
	for _, name in ipairs { "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed", "/etc/resolv.conf" } do
		lxmgr.remove(name)
	end
	for _, name in ipairs { "/etc/machine-id", "/etc/hostname", "/etc/resolv.conf" } do
		lxmgr.write(name, "")
	end
end

return import

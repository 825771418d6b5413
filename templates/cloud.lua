-- SPDX-License-Identifier: LGPL-2.1-or-later
-- A root with cloud-init in it, and what cloud-init shall do at the first start (NoCloud).
local import = require "import"

local seed = "/var/lib/cloud/seed/nocloud"

local function copy(t, path, name)
	local file = t.open(path)
	if file == true then error(string.format("'%s' is a directory", path), 0) end
	if file:size() > 1 << 20 then error(string.format("'%s' is longer than 1 MiB", path), 0) end
	local text = file:read()
	file:close()
	lxmgr.write(seed .. "/" .. name, text, tonumber("600", 8))
	return text
end

return {
	summary = "A cloud image's root, with a seed for its cloud-init.",
	description = "The root comes from --image; cloud-init must be in it.",
	options = {
		{ name = "image", type = "file", value = "PATH", required = true,
			help = "directory or tar archive with the root" },
		{ name = "user-data", type = "file", value = "FILE", required = true,
			help = "what cloud-init shall do: #cloud-config, a script and so on" },
		{ name = "meta-data", type = "file", value = "FILE",
			help = "meta-data in YAML (default: only an instance-id)" },
		{ name = "network-config", type = "file", value = "FILE",
			help = "network configuration (default: none, lxmgr sets the addresses)" },
	},
	build = function(t)
		t.progress(100, "unpacking " .. t.opt.image)
		import.root(t, t.opt.image)
		if not (lxmgr.exists("/usr/bin/cloud-init") or lxmgr.exists("/bin/cloud-init")) then
			error("there is no cloud-init in this root: take a cloud image, or install cloud-init in it", 0)
		end
		t.progress(800, "writing the seed")
		import.forget_host()
		lxmgr.mkdir(seed, tonumber("700", 8))
		local user = copy(t, t.opt["user-data"], "user-data")
		if not user:find("^#") and not user:find("^Content%-Type:") and not user:find("^MIME%-Version:") then
			error("the user-data begins with none of #cloud-config, #!, Content-Type: and so on", 0)
		end
		if t.opt["meta-data"] then
			local meta = copy(t, t.opt["meta-data"], "meta-data")
			if not ("\n" .. meta):find("\n%s*[\"']?instance%-id[\"']?%s*:") then
				error("the meta-data has no instance-id", 0)
			end
		else
			lxmgr.write(seed .. "/meta-data", "instance-id: iid-" .. lxmgr.random(8) .. "\n", tonumber("600", 8))
		end
		if t.opt["network-config"] then
			copy(t, t.opt["network-config"], "network-config")
		else
			lxmgr.write(seed .. "/network-config", "version: 2\n", tonumber("600", 8))
			lxmgr.mkdir("/etc/cloud/cloud.cfg.d")
			lxmgr.write("/etc/cloud/cloud.cfg.d/99-lxmgr-network.cfg", "network: {config: disabled}\n")
		end
		lxmgr.mkdir("/etc/cloud/cloud.cfg.d")
		lxmgr.write("/etc/cloud/cloud.cfg.d/99-lxmgr.cfg", "datasource_list: [NoCloud, None]\n")
		-- A root that was started before would not look at the seed.
		lxmgr.remove("/var/lib/cloud/instance", true)
		lxmgr.remove("/var/lib/cloud/instances", true)
	end,
}

-- SPDX-License-Identifier: LGPL-2.1-or-later
-- A root that is here already: a directory, or a tar archive of one.
local import = require "import"

return {
	summary = "A root file system from a directory or an archive of this host.",
	options = {
		{ name = "fstree", short = "f", type = "file", value = "PATH", required = true,
			help = "directory or tar archive with the root" },
		{ name = "metadata", short = "m", type = "file", value = "FILE",
			help = "lines KEY = VALUE for the config of the containers" },
		{ name = "subdir", type = "text", value = "DIR",
			help = "where in the archive the root is (default: rootfs, if there is one, else its top)" },
	},
	build = function(t)
		t.progress(100, "unpacking " .. t.opt.fstree)
		import.root(t, t.opt.fstree, t.opt.subdir)
		if t.opt.metadata then import.metadata(t, t.opt.metadata) end
		t.progress(900, "fitting it to a container")
		import.forget_host()
	end,
}

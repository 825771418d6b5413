# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# lua NAME SCRIPT: it ends well. In it: the module, the test's tree, and a check that names what differs.
prelude='local lxmgr = require "lxmgr"
local P = {path = os.getenv("TREE")}
local function eq(have, want)
	if have ~= want then error(string.format("%q in place of %q", tostring(have), tostring(want)), 2) end
end
local function fails(status, like, ok, why, code)
	eq(ok, nil); eq(code, status)
	if not why:find(like) then error("said: " .. why, 2) end
end
'
lua() {
	ok "$1" lua5.4 -e "$prelude$2"
}

-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Alpine's packages: a signed index names the digest of each package's control part, and that the
-- digest of its files. Nothing is unpacked or run before the chain is whole.
local apk = {}

local function fail(fmt, ...)
	error(string.format(fmt, ...), 0)
end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function from_base64(text)
	local bits, n, out = 0, 0, {}
	for c in text:gmatch("[%w+/]") do
		bits = (bits << 6 | (alphabet:find(c, 1, true) - 1)) & 0xffffff
		n = n + 6
		if n >= 8 then
			n = n - 8
			out[#out + 1] = string.format("%02x", bits >> n & 0xff)
		end
	end
	return table.concat(out)
end

local function to_base64(hex)
	local out, bits, n = {}, 0, 0
	for byte in hex:gmatch("%x%x") do
		bits = (bits << 8 | tonumber(byte, 16)) & 0xffffff
		n = n + 8
		while n >= 6 do
			n = n - 6
			local i = bits >> n & 63
			out[#out + 1] = alphabet:sub(i + 1, i + 1)
		end
	end
	if n > 0 then
		local i = bits << (6 - n) & 63
		out[#out + 1] = alphabet:sub(i + 1, i + 1)
	end
	return table.concat(out) .. ("="):rep(-#out % 4)
end

-- Each entry of a tar archive in memory: name, type, content, header, extended header.
local function entries(text)
	local at = 1
	return function()
		local extended = ""
		while at + 511 <= #text do
			local name = text:sub(at, at + 99):match("^[^%z]*")
			if name == "" then return nil end
			local size = tonumber(text:sub(at + 124, at + 135):match("[0-7]+") or "", 8)
			local kind = text:sub(at + 156, at + 156)
			local prefix = text:sub(at + 257, at + 261) == "ustar" and text:sub(at + 345, at + 499):match("^[^%z]*") or ""
			if not size or size > #text then fail("a broken tar header") end
			local header, body = text:sub(at, at + 511), text:sub(at + 512, at + 511 + size)
			at = at + 512 + (size + 511) // 512 * 512
			if kind == "x" then
				extended = body
			elseif kind ~= "g" then
				if prefix ~= "" then name = prefix .. "/" .. name end
				return extended:match("%d+ path=([^\n]*)\n") or name, kind, body, header, extended
			end
		end
	end
end

local function entry(text, pattern)
	for name, _, body in entries(text) do
		if name:find(pattern) then return body, name end
	end
end

-- The signature is the first member, over all the bytes behind it.
local function verify(file, keys, what)
	local first = file:members(1)[1]
	local from = first.offset + first.length
	for name, _, signature in entries(file:gunzip(first.offset, first.length, 1 << 20)) do
		local kind, key = name:match("^%.SIGN%.(RSA2?5?6?)%.(.+)$")
		local algorithm = kind == "RSA" and "sha1" or kind == "RSA256" and "sha256"
		if algorithm and keys[key] then
			if file:verify_rsa(algorithm, keys[key], signature, from) then return from end
			fail("%s: the signature of '%s' is wrong", what, key)
		end
	end
	fail("%s is not signed with any of the keys that were given", what)
end

local function parse_index(text, base, all)
	for stanza in (text .. "\n\n"):gmatch("(.-)\n\n") do
		local p = { stanza = stanza, base = base }
		for letter, value in (stanza .. "\n"):gmatch("(%a):([^\n]*)\n") do p[letter] = value end
		if p.P and p.V then
			if not p.P:find("^[%w][%w._+-]*$") or not p.V:find("^[%w][%w._+~-]*$") then
				fail("the index names a package '%s' '%s'", p.P, p.V)
			end
			all[#all + 1] = p
		end
	end
end

-- repository: URL of one, without the architecture.
function apk.index(t, repository, arch, keys, all)
	local base = repository .. "/" .. arch
	local file = t.fetch(base .. "/APKINDEX.tar.gz", { unchecked = true, limit = 64 << 20 })
	local from = verify(file, keys, base .. "/APKINDEX.tar.gz")
	local text = entry(file:gunzip(from, nil, 64 << 20), "^APKINDEX$") or fail("%s: no APKINDEX in it", base)
	file:close()
	parse_index(text, base, all)
end

-- What the packages of `wanted` need, in the order of their installation.
function apk.resolve(all, wanted)
	local by_name, order, seen = {}, {}, {}
	local function offer(name, p)
		local have = by_name[name]
		if not have or (have.P ~= name and (p.P == name or (tonumber(p.k) or 0) > (tonumber(have.k) or 0))) then
			by_name[name] = p
		end
	end
	for _, p in ipairs(all) do
		offer(p.P, p)
		for word in (p.p or ""):gmatch("%S+") do offer(word:match("^[^<>=~]+"), p) end
	end
	local function add(word, by)
		local name = word:match("^[^<>=~]+")
		local p = by_name[name] or fail("there is no package '%s'%s", name, by and ", which '" .. by .. "' needs" or "")
		if seen[p] then return end
		seen[p] = true
		for dep in (p.D or ""):gmatch("%S+") do
			if dep:sub(1, 1) ~= "!" then add(dep, p.P) end
		end
		order[#order + 1] = p
	end
	for _, name in ipairs(wanted) do add(name) end
	return order
end

-- The lines of a package's files in apk's data base.
local function file_lines(data)
	local dirs, out = { [""] = {} }, {}
	local order = { "" }
	for name, kind, _, header, extended in entries(data) do
		name = name:gsub("/+$", "")
		local dir, base = name:match("^(.*)/([^/]*)$")
		if not dir then dir, base = "", name end
		local owner = string.format("%d:%d:%o", tonumber(header:sub(109, 115):match("[0-7]+") or "0", 8),
			tonumber(header:sub(117, 123):match("[0-7]+") or "0", 8), tonumber(header:sub(101, 107):match("[0-7]+") or "0", 8) & 4095)
		if kind == "5" then
			dirs[name] = dirs[name] or {}
			order[#order + 1] = name
			if owner ~= "0:0:755" then dirs[name].mode = "M:" .. owner end
		elseif dirs[dir] then
			local list = dirs[dir]
			list[#list + 1] = "R:" .. base
			if kind ~= "2" and owner ~= "0:0:644" then list[#list + 1] = "a:" .. owner end
			local sum = extended:match("APK%-TOOLS%.checksum%.SHA1=(%x+)\n")
			if sum then list[#list + 1] = "Z:Q1" .. to_base64(sum) end
		end
	end
	for _, dir in ipairs(order) do
		local list = dirs[dir]
		if dir ~= "" or #list > 0 then
			out[#out + 1] = "F:" .. dir
			if list.mode then out[#out + 1] = list.mode end
			for _, line in ipairs(list) do out[#out + 1] = line end
		end
	end
	return table.concat(out, "\n")
end

local function run_script(t, p, kind, ...)
	local text = p.scripts[kind]
	if not text then return end
	local path = "/lib/apk/exec/" .. p.P .. "-" .. p.V .. "." .. kind
	lxmgr.mkdir("/lib/apk/exec")
	lxmgr.write(path, text, tonumber("755", 8))
	-- apk, too, goes on when one fails.
	local argv = { path, p.V, ... }
	argv.capture, argv.may_fail = true, true
	local ok, status, out = pcall(t.run, argv)
	if not ok or status ~= 0 then
		lxmgr.log(string.format("%s of %s: %s", kind, p.P, ok and "status " .. status .. " " .. out:sub(-120) or status))
	end
	lxmgr.remove(path)
end

-- Fetch, check and unpack one package.
function apk.install(t, p)
	local name = p.P .. "-" .. p.V .. ".apk"
	local size = math.tointeger(tonumber(p.S)) or fail("%s: the index tells no size", name)
	local sum = (p.C or ""):match("^Q1([%w+/]+=*)$") or fail("%s: the index tells no digest", name)
	local file = t.fetch(p.base .. "/" .. name, { unchecked = true, limit = size })
	local first = file:members(1)[1]
	local control = first
	if entry(file:gunzip(first.offset, first.length, 1 << 20), "^%.SIGN%.") then
		control = file:members(2)[2] or fail("%s has no control part", name)
	end
	local ok, why = pcall(file.expect, file, "sha1", from_base64(sum), control.offset, control.length)
	if not ok then fail("%s: %s", name, why) end
	local text = file:gunzip(control.offset, control.length)
	local info = "\n" .. (entry(text, "^%.PKGINFO$") or fail("%s has no .PKGINFO", name))
	local hash = info:match("\ndatahash = (%x+)") or fail("%s: no digest of its files", name)
	local from = control.offset + control.length
	ok, why = pcall(file.expect, file, "sha256", hash, from)
	if not ok then fail("%s: its files: %s", name, why) end
	p.triggers = info:match("\ntriggers = ([^\n]*)")
	p.scripts = {}
	for _, kind in ipairs { "pre-install", "post-install", "trigger" } do
		p.scripts[kind] = entry(text, "^%." .. kind:gsub("%-", "%%-") .. "$")
	end
	p.files = file_lines(file:gunzip(from, nil, 64 << 20, true))
	if lxmgr.exists("/bin/sh") then run_script(t, p, "pre-install") end
	t.unpack(file, { offset = from, over = true })
	file:close()
	run_script(t, p, "post-install")
end

-- The triggers, and apk's data base, so that the guest's apk goes on from here.
function apk.finish(t, order, world)
	local db = {}
	for _, p in ipairs(order) do
		local there = {}
		for dir in (p.triggers or ""):gmatch("%S+") do
			if not dir:find("%*") and lxmgr.exists(dir) then there[#there + 1] = dir end
		end
		if #there > 0 then run_script(t, p, "trigger", table.unpack(there)) end
		db[#db + 1] = p.stanza .. "\n" .. p.files .. "\n\n"
	end
	lxmgr.remove("/lib/apk/exec", true)
	lxmgr.mkdir("/lib/apk/db")
	lxmgr.mkdir("/etc/apk")
	lxmgr.write("/lib/apk/db/installed", table.concat(db))
	lxmgr.write("/lib/apk/db/triggers", "")
	lxmgr.write("/lib/apk/db/lock", "", tonumber("600", 8))
	lxmgr.write("/etc/apk/world", table.concat(world, "\n") .. "\n")
end

return apk

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device rules on cgroup v2: a BPF program that looks a device up in a hash map, from the most
 * specific entry (type, major, minor) to the least. An entry says of each kind of access whether
 * it knows it and whether it allows it; the first that knows decides, and unknown is denied. A
 * rule for a running container is one map update.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bpf_asm.h"
#include "kernel/cgroup_tree.h"
#include "kernel/ns.h"
#include "kernel/sys.h"
#include "util/cleanup.h"
#include "util/err.h"

#define ANY	    0xffffffffU
#define MAX_RULES   256
#define KNOWN_SHIFT 8

struct device_key {
	uint32_t type, major, minor; /* type: BPF_DEVCG_DEV_*; ANY for any number */
};

static uint64_t ptr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int map_create(void)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.map_type = BPF_MAP_TYPE_HASH;
	a.key_size = sizeof(struct device_key);
	a.value_size = sizeof(uint32_t);
	a.max_entries = MAX_RULES;
	memcpy(a.map_name, "lxmgr_devices", 13);
	return sys_bpf(BPF_MAP_CREATE, &a, sizeof(a));
}

static int map_get(int map, const struct device_key *k, uint32_t *ret)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.map_fd = (uint32_t)map;
	a.key = ptr(k);
	a.value = ptr(ret);
	return sys_bpf(BPF_MAP_LOOKUP_ELEM, &a, sizeof(a));
}

static int map_put(int map, const struct device_key *k, uint32_t value)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.map_fd = (uint32_t)map;
	a.key = ptr(k);
	a.value = ptr(&value);
	return sys_bpf(BPF_MAP_UPDATE_ELEM, &a, sizeof(a));
}

static int add_rule(int map, uint32_t type, const struct cgroup_device_rule *d)
{
	struct device_key k = { .type = type,
				.major = d->major < 0 ? ANY : (uint32_t)d->major,
				.minor = d->minor < 0 ? ANY : (uint32_t)d->minor };
	uint32_t bits = (d->read ? BPF_DEVCG_ACC_READ : 0) | (d->write ? BPF_DEVCG_ACC_WRITE : 0) |
			(d->mknod ? BPF_DEVCG_ACC_MKNOD : 0);
	uint32_t value = 0;

	map_get(map, &k, &value);
	value |= bits << KNOWN_SHIFT;
	value = d->allow ? value | bits : value & ~bits;
	return map_put(map, &k, value);
}

/* "a" sets the default for everything; what came before it no longer counts, and since rules are
 * added in order, the caller begins anew there. */
static int fill(int map, const struct cgroup_device_rule *rules, size_t n)
{
	size_t first = 0;

	for (size_t i = 0; i < n; i++)
		if (rules[i].type == 'a')
			first = i;
	for (size_t i = first; i < n; i++) {
		int r = 0;

		if (rules[i].type != 'c')
			r = add_rule(map, BPF_DEVCG_DEV_BLOCK, &rules[i]);
		if (r == 0 && rules[i].type != 'b')
			r = add_rule(map, BPF_DEVCG_DEV_CHAR, &rules[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * r6: wanted accesses not decided yet, r7: major, r8: minor, r9: the context. The key lies at
 * fp-12: type, major, minor.
 */
static int program_load(int map, struct lxmgr_err *err)
{
	static const struct {
		bool major, minor;
	} tries[] = { { true, true }, { true, false }, { false, true }, { false, false } };
	struct bpf_insn p[96];
	union bpf_attr a;
	size_t n = 0;
	int r;

	p[n++] = BPF_LOAD(BPF_W, BPF_REG_6, BPF_REG_1, 0); /* access_type */
	p[n++] = BPF_MOV_REG(BPF_REG_2, BPF_REG_6);
	p[n++] = BPF_ALU_IMM(BPF_AND, BPF_REG_2, 0xffff);
	p[n++] = BPF_STORE(BPF_W, BPF_REG_10, BPF_REG_2, -12);
	p[n++] = BPF_ALU_IMM(BPF_RSH, BPF_REG_6, 16);
	p[n++] = BPF_LOAD(BPF_W, BPF_REG_7, BPF_REG_1, 4);
	p[n++] = BPF_LOAD(BPF_W, BPF_REG_8, BPF_REG_1, 8);
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		p[n++] = tries[i].major ? BPF_STORE(BPF_W, BPF_REG_10, BPF_REG_7, -8)
					: BPF_STORE_IMM(BPF_W, BPF_REG_10, -8, -1);
		p[n++] = tries[i].minor ? BPF_STORE(BPF_W, BPF_REG_10, BPF_REG_8, -4)
					: BPF_STORE_IMM(BPF_W, BPF_REG_10, -4, -1);
		p[n++] = BPF_INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map);
		p[n++] = BPF_INSN(0, 0, 0, 0, 0);
		p[n++] = BPF_MOV_REG(BPF_REG_2, BPF_REG_10);
		p[n++] = BPF_ALU_IMM(BPF_ADD, BPF_REG_2, -12);
		p[n++] = BPF_CALL_FN(BPF_FUNC_map_lookup_elem);
		p[n++] = BPF_JUMP_IMM(BPF_JEQ, BPF_REG_0, 0, 10); /* not there: next try */
		p[n++] = BPF_LOAD(BPF_W, BPF_REG_1, BPF_REG_0, 0);
		/* r2 = wanted and known but not allowed: denied. */
		p[n++] = BPF_MOV_REG(BPF_REG_2, BPF_REG_1);
		p[n++] = BPF_ALU_IMM(BPF_RSH, BPF_REG_2, KNOWN_SHIFT);
		p[n++] = BPF_MOV_REG(BPF_REG_3, BPF_REG_2);
		p[n++] = BPF_ALU_IMM(BPF_XOR, BPF_REG_1, 0xff);
		p[n++] = BPF_ALU_REG(BPF_AND, BPF_REG_2, BPF_REG_1);
		p[n++] = BPF_ALU_REG(BPF_AND, BPF_REG_2, BPF_REG_6);
		p[n++] = BPF_JUMP_IMM(BPF_JNE, BPF_REG_2, 0, -1); /* patched: deny */
		/* r6 &= ~known */
		p[n++] = BPF_ALU_IMM(BPF_XOR, BPF_REG_3, -1);
		p[n++] = BPF_ALU_REG(BPF_AND, BPF_REG_6, BPF_REG_3);
	}
	p[n++] = BPF_JUMP_IMM(BPF_JNE, BPF_REG_6, 0, 2);
	p[n++] = BPF_MOV_IMM(BPF_REG_0, 1);
	p[n++] = BPF_RETURN;
	for (size_t i = 0; i < n; i++)
		if (p[i].code == (BPF_JMP | BPF_JNE | BPF_K) && p[i].off == -1)
			p[i].off = (int16_t)(n - i - 1);
	p[n++] = BPF_MOV_IMM(BPF_REG_0, 0);
	p[n++] = BPF_RETURN;
	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = ptr(p);
	a.insn_cnt = (uint32_t)n;
	a.license = ptr("LGPL-2.1-or-later");
	memcpy(a.prog_name, "lxmgr_devices", 13);
	r = sys_bpf(BPF_PROG_LOAD, &a, sizeof(a));
	return r < 0 ? err_set(err, r, "load the program of the device rules") : r;
}

int devices_bpf_attach(int cgroup_dir, const struct cgroup_device_rule *rules, size_t n,
		       struct lxmgr_err *err)
{
	cleanup_fd int map = map_create(), prog = -EBADF;
	/* Attaching wants a descriptor that is open, not O_PATH. */
	cleanup_fd int dir = openat(cgroup_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union bpf_attr a;
	int r;

	/* In a container the rules of its own group stay in force for those in it, and nobody can
	 * make a device file. */
	if (map == -EPERM && ns_is_nested())
		return 0;
	if (map < 0)
		return err_set(err, map, "make the map of the device rules");
	r = fill(map, rules, n);
	if (r < 0)
		return err_set(err, r, "fill the map of the device rules");
	prog = program_load(map, err);
	if (prog < 0)
		return prog;
	memset(&a, 0, sizeof(a));
	a.target_fd = (uint32_t)dir;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	r = sys_bpf(BPF_PROG_ATTACH, &a, sizeof(a));
	return r < 0 ? err_set(err, r, "attach the device rules to the cgroup") : 0;
}

/* The map of the program on this group. */
static int find_map(int dir)
{
	cleanup_fd int prog = -EBADF;
	struct bpf_prog_info info;
	uint32_t ids[8] = { 0 }, map_id = 0;
	union bpf_attr a;
	int r;

	memset(&a, 0, sizeof(a));
	a.query.target_fd = (uint32_t)dir;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = ptr(ids);
	a.query.prog_cnt = ARRAY_SIZE(ids);
	r = sys_bpf(BPF_PROG_QUERY, &a, sizeof(a));
	if (r < 0)
		return r;
	if (!a.query.prog_cnt)
		return -ENOENT;
	memset(&a, 0, sizeof(a));
	a.prog_id = ids[0];
	prog = sys_bpf(BPF_PROG_GET_FD_BY_ID, &a, sizeof(a));
	if (prog < 0)
		return prog;
	memset(&info, 0, sizeof(info));
	info.nr_map_ids = 1;
	info.map_ids = ptr(&map_id);
	memset(&a, 0, sizeof(a));
	a.info.bpf_fd = (uint32_t)prog;
	a.info.info_len = sizeof(info);
	a.info.info = ptr(&info);
	r = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &a, sizeof(a));
	if (r < 0)
		return r;
	memset(&a, 0, sizeof(a));
	a.map_id = map_id;
	return sys_bpf(BPF_MAP_GET_FD_BY_ID, &a, sizeof(a));
}

int devices_bpf_add(int cgroup_dir, const struct cgroup_device_rule *rule, struct lxmgr_err *err)
{
	cleanup_fd int dir = openat(cgroup_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int map = find_map(dir);
	int r;

	if (map < 0)
		return err_set(err, map, "find the device rules of the cgroup");
	r = fill(map, rule, 1);
	return r < 0 ? err_set(err, r, "add a device rule") : 0;
}

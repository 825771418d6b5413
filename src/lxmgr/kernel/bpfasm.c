/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "kernel/bpfasm.h"

static struct bpf_insn *add(struct bpfasm *a, int code, int dst, int src, int16_t off, int32_t imm)
{
	if (a->n == BPFASM_MAX) {
		a->failed = true;
		a->n = 0;
	}
	a->jumps[a->n] = false;
	a->insn[a->n] = (struct bpf_insn){ .code = (uint8_t)code,
					   .dst_reg = (uint8_t)dst & 15,
					   .src_reg = (uint8_t)src & 15,
					   .off = off,
					   .imm = imm };
	return &a->insn[a->n++];
}

static void add_jump(struct bpfasm *a, int code, int dst, int src, int32_t imm, unsigned int label)
{
	add(a, code, dst, src, 0, imm);
	a->jumps[a->n - 1] = true;
	a->target[a->n - 1] = (uint16_t)label;
}

void bpf_mov_imm(struct bpfasm *a, int dst, int32_t imm)
{
	add(a, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

void bpf_mov_reg(struct bpfasm *a, int dst, int src)
{
	add(a, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

void bpf_mov64_const(struct bpfasm *a, int dst, uint64_t imm)
{
	add(a, BPF_LD | BPF_DW | BPF_IMM, dst, 0, 0, (int32_t)(uint32_t)imm);
	add(a, 0, 0, 0, 0, (int32_t)(uint32_t)(imm >> 32));
}

void bpf_alu_imm(struct bpfasm *a, int op, int dst, int32_t imm)
{
	add(a, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

void bpf_alu32_imm(struct bpfasm *a, int op, int dst, int32_t imm)
{
	add(a, BPF_ALU | op | BPF_K, dst, 0, 0, imm);
}

void bpf_alu_reg(struct bpfasm *a, int op, int dst, int src)
{
	add(a, BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

void bpf_be16(struct bpfasm *a, int dst)
{
	add(a, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, 16);
}

void bpf_load(struct bpfasm *a, int size, int dst, int src, int16_t off)
{
	add(a, BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

void bpf_jmp32_imm(struct bpfasm *a, int op, int dst, int32_t imm, unsigned int label)
{
	add_jump(a, BPF_JMP32 | op | BPF_K, dst, 0, imm, label);
}

void bpf_jmp_imm(struct bpfasm *a, int op, int dst, int32_t imm, unsigned int label)
{
	add_jump(a, BPF_JMP | op | BPF_K, dst, 0, imm, label);
}

void bpf_jmp_reg(struct bpfasm *a, int op, int dst, int src, unsigned int label)
{
	add_jump(a, BPF_JMP | op | BPF_X, dst, src, 0, label);
}

void bpf_goto(struct bpfasm *a, unsigned int label)
{
	add_jump(a, BPF_JMP | BPF_JA, 0, 0, 0, label);
}

void bpf_call(struct bpfasm *a, int helper)
{
	add(a, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

void bpf_exit(struct bpfasm *a)
{
	add(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

void bpfasm_init(struct bpfasm *a, unsigned int n)
{
	a->n = 0;
	a->n_labels = n;
	a->failed = false;
	memset(a->placed, 0, sizeof(a->placed));
}

unsigned int bpfasm_label(struct bpfasm *a)
{
	if (a->n_labels < BPFASM_MAX_LABELS)
		return (unsigned int)a->n_labels++;
	a->failed = true;
	return 0;
}

void bpfasm_place(struct bpfasm *a, unsigned int label)
{
	a->place[label] = (uint16_t)a->n;
	a->placed[label] = true;
}

int bpfasm_link(struct bpfasm *a)
{
	if (a->failed)
		return -E2BIG;
	for (size_t i = 0; i < a->n; i++) {
		if (!a->jumps[i])
			continue;
		if (!a->placed[a->target[i]])
			return -EINVAL;
		a->insn[i].off = (int16_t)(a->place[a->target[i]] - (int)i - 1);
	}
	return (int)a->n;
}

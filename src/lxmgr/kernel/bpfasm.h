/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small assembler for BPF programs that are made at run time: instructions are appended, jumps
 * name labels, and bpfasm_link() puts in the distances. Labels are small numbers of the caller's;
 * bpfasm_label() gives out fresh ones. Running out of room is remembered and reported at the end.
 */
#ifndef LXMGR_KERNEL_BPFASM_H
#define LXMGR_KERNEL_BPFASM_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPFASM_MAX	  4096
#define BPFASM_MAX_LABELS 512

struct bpfasm {
	struct bpf_insn insn[BPFASM_MAX];
	uint16_t target[BPFASM_MAX];	   /* label a jump goes to */
	uint16_t place[BPFASM_MAX_LABELS]; /* instruction behind a label */
	bool jumps[BPFASM_MAX], placed[BPFASM_MAX_LABELS];
	size_t n, n_labels;
	bool failed;
};

/* The names are those of the kernel's documentation: 32 stands for operations on the lower half
 * of a register (which clear the upper half). size is BPF_B, BPF_H, BPF_W or BPF_DW. */
void bpf_mov_imm(struct bpfasm *a, int dst, int32_t imm);
void bpf_mov_reg(struct bpfasm *a, int dst, int src);
void bpf_mov64_const(struct bpfasm *a, int dst, uint64_t imm); /* two instructions */
void bpf_alu_imm(struct bpfasm *a, int op, int dst, int32_t imm);
void bpf_alu32_imm(struct bpfasm *a, int op, int dst, int32_t imm);
void bpf_alu_reg(struct bpfasm *a, int op, int dst, int src);
void bpf_be16(struct bpfasm *a, int dst);
void bpf_load(struct bpfasm *a, int size, int dst, int src, int16_t off);
void bpf_jmp32_imm(struct bpfasm *a, int op, int dst, int32_t imm, unsigned int label);
void bpf_jmp_imm(struct bpfasm *a, int op, int dst, int32_t imm, unsigned int label);
void bpf_jmp_reg(struct bpfasm *a, int op, int dst, int src, unsigned int label);
void bpf_goto(struct bpfasm *a, unsigned int label);
void bpf_call(struct bpfasm *a, int helper);
void bpf_exit(struct bpfasm *a);

/* Begin with n labels (0 to n-1) of the caller's own. */
void bpfasm_init(struct bpfasm *a, unsigned int n);
unsigned int bpfasm_label(struct bpfasm *a);
/* The label stands before the next instruction. */
void bpfasm_place(struct bpfasm *a, unsigned int label);
/* Resolve the jumps. The number of instructions, -E2BIG, or -EINVAL for a label without place. */
int bpfasm_link(struct bpfasm *a);

#endif

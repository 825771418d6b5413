/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eBPF instructions for the programs that are assembled here by hand. */
#ifndef LXMGR_KERNEL_BPF_ASM_H
#define LXMGR_KERNEL_BPF_ASM_H

#include <linux/bpf.h>

#define BPF_INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define BPF_MOV_REG(d, s)	   BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define BPF_MOV_IMM(d, i)	   BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define BPF_ALU_IMM(op, d, i)	   BPF_INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define BPF_ALU_REG(op, d, s)	   BPF_INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define BPF_LOAD(sz, d, s, o)	   BPF_INSN(BPF_LDX | BPF_MEM | (sz), d, s, o, 0)
#define BPF_STORE(sz, d, s, o)	   BPF_INSN(BPF_STX | BPF_MEM | (sz), d, s, o, 0)
#define BPF_STORE_IMM(sz, d, o, i) BPF_INSN(BPF_ST | BPF_MEM | (sz), d, 0, o, i)
#define BPF_JUMP_IMM(op, d, i, o)  BPF_INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define BPF_JUMP_REG(op, d, s, o)  BPF_INSN(BPF_JMP | (op) | BPF_X, d, s, o, 0)
#define BPF_GOTO(o)		   BPF_INSN(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define BPF_CALL_FN(f)		   BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define BPF_RETURN		   BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#endif

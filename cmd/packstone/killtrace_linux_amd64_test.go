package main

import "golang.org/x/sys/unix"

// syscallOf returns the number of the call that a stopped thread makes, and its first argument.
func syscallOf(regs *unix.PtraceRegs) (call, first uint64) { return regs.Orig_rax, regs.Rdi }

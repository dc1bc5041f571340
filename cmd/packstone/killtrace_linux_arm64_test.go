package main

import "golang.org/x/sys/unix"

// syscallOf returns the number of the call that a stopped thread makes, and its first argument.
func syscallOf(regs *unix.PtraceRegs) (call, first uint64) { return regs.Regs[8], regs.Regs[0] }

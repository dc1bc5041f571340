package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/pipeline/target"
)

// cures are what somebody can do where a disk is full or read-only, or a process may open no more
// files. The first match counts.
var cures = []struct {
	sentinel error
	cure     string
}{
	{syscall.EMFILE, "allow more open files, with ulimit -n or LimitNOFILE= of the service"},
	{syscall.ENFILE, "the machine has too many files open: end what opens them, or raise fs.file-max"},
	{syscall.EFBIG, "raise the limit of the size of files, with ulimit -f or LimitFSIZE= of the service"},
	{mirror.ErrUnwritable, "see whether the directory of the caches can be written and has room, name another one with --cache-dir, or do without with --no-cache"},
	{target.ErrFull, "make room there and run the same again: it keeps what is whole"},
	{store.ErrFull, "make room there, or with packstone forget --prune, and run the same again: it keeps what is stored"},
	{syscall.ENOSPC, "make room there and run the same again"},
	{syscall.EDQUOT, "raise the quota or make room there, and run the same again"},
}

// withCure adds to an error what somebody can do, if that is known here.
func withCure(err error) error {
	for _, c := range cures {
		if errors.Is(err, c.sentinel) {
			return fmt.Errorf("%w: %s", err, c.cure)
		}
	}
	return err
}

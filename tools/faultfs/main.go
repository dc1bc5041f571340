//go:build linux

// Command faultfs mounts a directory a second time, with faults: what a network file system does on
// a bad day, on demand.
//
//	faultfs [-inodes SEED] DIRECTORY MOUNTPOINT
//
// It prints "mounted" when it is, takes one rule a line from standard input and answers "ok" or
// "error: …" to each, and unmounts when standard input ends. Rules:
//
//	fail OP ERRNO [path=GLOB] [after=N] [times=M]   OP: stat open read list link attribute any
//	delay OP DURATION [path=GLOB]                   answer later
//	hang OP [path=GLOB] [after=N]                   do not answer until clear
//	squash                                          root may do only what others may
//	short N                                         a read gives N bytes at most
//	grow N [path=GLOB]                              every read appends N bytes to the file first
//	vanish ERRNO                                    nothing but an empty root is left
//	clear                                           forget all rules
//	count                                           answers "OP=N … hanging=N": the calls so far, and those not answered
//
// A GLOB is matched with the path below the directory and with the last name in it. -inodes makes
// up inode numbers, others for each seed. Nothing is cached by the kernel, so every call comes
// here.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "faultfs:", err)
		os.Exit(1)
	}
}

func run() error {
	seed := flag.Uint64("inodes", 0, "make up inode numbers from this `seed`")
	flag.Parse()
	if flag.NArg() != 2 {
		return errors.New("want [-inodes SEED] DIRECTORY MOUNTPOINT")
	}
	faults := &faults{counts: map[string]int{}, released: make(chan struct{})}
	server, err := mount(flag.Arg(0), flag.Arg(1), *seed, faults)
	if err != nil {
		return fmt.Errorf("mount %s on %s: %w", flag.Arg(0), flag.Arg(1), err)
	}
	fmt.Println("mounted")
	obey(faults, os.Stdin, os.Stdout)
	faults.clear()
	return server.Unmount()
}

// obey takes rules until there are no more.
func obey(f *faults, in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		answer, err := f.rule(lines.Text())
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Fprintln(out, answer)
	}
}

func mount(directory, at string, seed uint64, f *faults) (*fuse.Server, error) {
	root, err := newRoot(directory, seed, f)
	if err != nil {
		return nil, err
	}
	return fs.Mount(at, root, &fs.Options{
		NullPermissions: true,
		MountOptions: fuse.MountOptions{
			AllowOther: os.Geteuid() == 0, DirectMount: os.Geteuid() == 0, FsName: directory, Name: "faultfs", DisableReadDirPlus: true,
		},
	})
}

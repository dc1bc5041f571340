//go:build linux && (amd64 || arm64)

package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The program itself runs under a tracer, which stops it before and after each call by which it
// makes something durable or names something: fsync, rename, link, unlink, mkdir. One such call runs
// at a time. At each of these points the machine may be killed or lose its power: then of what is in
// memory only, contents are lost, or contents and names. What is left is used as in
// TestSoakWhatIsKilledAtAnyCallOfTheStorageGoesOn.

// traced are the calls at which it stops.
var traced = map[uint64]string{
	unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_SYNC: "sync", unix.SYS_SYNCFS: "sync", unix.SYS_RENAMEAT: "rename",
	unix.SYS_RENAMEAT2: "rename", unix.SYS_LINKAT: "link", unix.SYS_UNLINKAT: "unlink", unix.SYS_MKDIRAT: "mkdir",
}

// durable is what of a place is on its disk: what was there at first, and what was synced since. It
// goes by inodes, of which a file system in memory uses none twice.
type durable struct {
	*camera
	data  map[uint64][]byte            // of a file when it was last synced
	names map[uint64]map[string]uint64 // of a directory when it was last synced
	calls map[string]int
	seen  map[[sha256.Size]byte]bool
}

// leaf is a file or directory of a tree that is made anew.
type leaf struct {
	inode uint64
	dir   bool
	time  time.Time
	data  []byte
}

func newDurable(p *place) *durable {
	d := &durable{camera: &camera{place: p}, data: map[uint64][]byte{}, names: map[uint64]map[string]uint64{}, calls: map[string]int{}, seen: map[[sha256.Size]byte]bool{}}
	d.syncAll()
	return d
}

// leafOf describes what is at a path.
func leafOf(path string) (leaf, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return leaf{}, err
	}
	l := leaf{inode: info.Sys().(*syscall.Stat_t).Ino, dir: info.IsDir(), time: info.ModTime()}
	if info.Mode().IsRegular() && info.Name() != "reserve" { // which is large, and says nothing
		l.data, err = os.ReadFile(path)
	}
	return l, err
}

// now is all that is there, in memory or on the disk.
func (d *durable) now() map[string]leaf {
	all := map[string]leaf{}
	err := filepath.WalkDir(d.place.dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			all[path], err = leafOf(path)
		}
		return err
	})
	if err != nil {
		d.place.t.Fatalf("look at the place: %v", err)
	}
	return all
}

// syncAll notes that all is durable as it is now.
func (d *durable) syncAll() {
	for path := range d.now() {
		d.sync(path)
	}
}

// sync notes that a file or directory is durable as it is now.
func (d *durable) sync(path string) {
	l, err := leafOf(path)
	if err != nil || path != d.place.dir && !strings.HasPrefix(path, d.place.dir+"/") {
		return
	}
	if !l.dir {
		d.data[l.inode] = l.data
		return
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		d.place.t.Fatal(err)
	}
	names := map[string]uint64{}
	for _, e := range entries {
		below, err := leafOf(filepath.Join(path, e.Name()))
		if err != nil {
			d.place.t.Fatal(err)
		}
		if names[e.Name()] = below.inode; below.dir && d.names[below.inode] == nil {
			d.names[below.inode] = map[string]uint64{}
		}
	}
	d.names[l.inode] = names
}

// shootAll copies what a kill leaves, and what a loss of power leaves in the two ways.
func (d *durable) shootAll() {
	d.points++
	now := d.now()
	d.make("killed", now)
	unsynced, known := map[string]leaf{}, map[uint64]leaf{}
	for path, l := range now {
		known[l.inode] = l
		l.data = d.data[l.inode]
		unsynced[path] = l
	}
	d.make("contents lost", unsynced)
	lost := map[string]leaf{d.place.dir: now[d.place.dir]}
	d.onDisk(lost, known, d.place.dir)
	d.make("names lost", lost)
}

// onDisk adds what is on the disk below a directory.
func (d *durable) onDisk(all map[string]leaf, known map[uint64]leaf, dir string) {
	for name, inode := range d.names[all[dir].inode] {
		path := filepath.Join(dir, name)
		_, isDir := d.names[inode]
		all[path] = leaf{inode: inode, dir: isDir, time: known[inode].time, data: d.data[inode]}
		if isDir {
			d.onDisk(all, known, path)
		}
	}
}

// make writes a tree, unless one like it was written already.
func (d *durable) make(how string, tree map[string]leaf) {
	h := sha256.New()
	paths := slices.Sorted(maps.Keys(tree))
	for _, path := range paths {
		fmt.Fprintf(h, "%s %v %d\n%s", path, tree[path].dir, len(tree[path].data), tree[path].data)
	}
	sum := [sha256.Size]byte(h.Sum(nil))
	if d.seen[sum] {
		return
	}
	d.seen[sum] = true
	to := filepath.Join(filepath.Dir(d.place.dir), fmt.Sprintf("state%d %s", len(d.states), how))
	d.states = append(d.states, to)
	for _, path := range paths {
		if err := tree[path].put(to + strings.TrimPrefix(path, d.place.dir)); err != nil {
			d.place.t.Fatal(err)
		}
	}
}

// put makes one file or directory. The place has no other kinds.
func (l leaf) put(path string) error {
	if l.dir {
		return os.MkdirAll(path, 0o700)
	}
	if err := os.WriteFile(path, l.data, 0o600); err != nil || l.time.IsZero() {
		return err
	}
	return os.Chtimes(path, l.time, l.time)
}

// trace runs the program, and stops it at the calls.
func (d *durable) trace(words []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	args := slices.Clone(words)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "@", d.place.dir)
	}
	cmd := exec.Command("packstone", args...)
	cmd.Env = d.place.env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		return err
	}
	options := unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		return err
	}
	if err := unix.PtraceSyscall(pid, 0); err != nil {
		return err
	}
	return d.follow(pid)
}

// follow steps all threads from call to call until the program ends.
func (d *durable) follow(pid int) error {
	inside := map[int]bool{} // threads that are in a call
	for {
		thread, status, err := next(-pid)
		switch {
		case err != nil:
			return err
		case thread == pid && (status.Exited() || status.Signaled()):
			if status.ExitStatus() != 0 {
				return fmt.Errorf("the program ends with %v", status)
			}
			return nil
		case !status.Stopped():
			continue
		}
		if isCall(status) {
			if inside[thread] = !inside[thread]; inside[thread] && d.step(pid, thread) {
				inside[thread] = false
			}
		}
		resume(thread, status)
	}
}

// next waits until a thread, or one of a group, stops.
func next(which int) (thread int, status unix.WaitStatus, err error) {
	for {
		if thread, err = unix.Wait4(which, &status, unix.WALL, nil); err != unix.EINTR {
			return thread, status, err
		}
	}
}

// isCall reports whether a thread has stopped at a call.
func isCall(status unix.WaitStatus) bool {
	return status.Stopped() && status.StopSignal() == unix.SIGTRAP|0x80
}

// resume lets a thread run to its next call, with the signal for which it has stopped.
func resume(thread int, status unix.WaitStatus) {
	signal := 0
	if stop := status.StopSignal(); stop != unix.SIGTRAP|0x80 && stop != unix.SIGTRAP && stop != unix.SIGSTOP {
		signal = int(stop)
	}
	_ = unix.PtraceSyscall(thread, signal) // it may be gone
}

// step runs one call of a thread, if it is traced, and reports whether it was.
func (d *durable) step(pid, thread int) bool {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(thread, &regs); err != nil {
		return false
	}
	call, first := syscallOf(&regs)
	name, wanted := traced[call]
	if !wanted {
		return false
	}
	file, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, first))
	d.calls[name]++
	d.shootAll()
	for status := unix.WaitStatus(0x7f | (unix.SIGTRAP|0x80)<<8); ; {
		resume(thread, status)
		var err error
		if _, status, err = next(thread); err != nil || !status.Stopped() {
			return true
		}
		if isCall(status) {
			break
		}
	}
	switch name {
	case "sync":
		d.syncAll()
	case "fsync", "fdatasync":
		d.sync(file)
	}
	d.shootAll()
	return true
}

func TestSoakWhatIsKilledOrLosesPowerAtAnySyncOrRenameGoesOn(t *testing.T) {
	base := withSnapshots(t)
	saved := filepath.Join(filepath.Dir(base.dir), "base")
	base.copyTo(saved)
	points, states := 0, 0
	for i, v := range slices.Concat(killedVerbs, localVerbs) {
		if i%traceStride != 0 {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			p := prepared(t, base, saved, v)
			d := newDurable(p)
			if err := d.trace(p.words(v.verb)); err != nil {
				t.Fatalf("%v: %v", v.verb, err)
			}
			for n, state := range d.states {
				if (n+i)%killStride == 0 {
					states++
					t.Run(strings.TrimPrefix(filepath.Base(state), "state"), func(t *testing.T) { p.in(t, state).resumes(v) })
				}
			}
			points += d.points
			t.Logf("local kill points %-26s %4d at %v, %3d different states", v.name, d.points, d.calls, len(d.states))
		})
	}
	t.Logf("counted: local kill points: %d; resumed %d states", points, states)
}

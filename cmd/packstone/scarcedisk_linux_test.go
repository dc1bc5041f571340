package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each verb that writes runs on a file system that has room for so many pages, or names, more: none,
// one, two, until the verb is done. So it meets a full disk at each of its writes, in the repository,
// in the cache and the state of this machine, in the target. What it leaves is then used as
// somebody would who has made room.

const pageSize = 4096

// smallDisk is a file system in memory whose size is changed while it is used.
type smallDisk struct {
	t  *testing.T
	at string
}

func mountSmall(t *testing.T, at string) *smallDisk {
	t.Helper()
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("NOT TESTED here: a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	return &smallDisk{t, at}
}

func (d *smallDisk) stat() (s unix.Statfs_t) {
	d.t.Helper()
	if err := unix.Statfs(d.at, &s); err != nil {
		d.t.Fatal(err)
	}
	return s
}

func (d *smallDisk) remount(format string, args ...any) {
	d.t.Helper()
	if err := unix.Mount("tmpfs", d.at, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf(format, args...)); err != nil {
		d.t.Fatal(err)
	}
}

// leavePages and leaveNames leave room for n pages, or names, more than there are.
func (d *smallDisk) leavePages(n int) {
	s := d.stat()
	d.remount("size=%d", (int(s.Blocks-s.Bfree)+n)*pageSize)
}

func (d *smallDisk) leaveNames(n int) {
	s := d.stat()
	d.remount("nr_inodes=%d", int(s.Files-s.Ffree)+n)
}

func (d *smallDisk) leavePlenty() { d.remount("size=256m,nr_inodes=100k") }

// scarcity is what there is little of.
type scarcity struct {
	name  string
	leave func(d *smallDisk, n int)
}

var scarcities = []scarcity{{"pages", (*smallDisk).leavePages}, {"names", (*smallDisk).leaveNames}}

// onSmallDisk is the place as it is in a copy of its directory, on a file system of its own.
func (p *place) onSmallDisk(t *testing.T, copied string) (*place, *smallDisk) {
	t.Helper()
	next := *p
	next.t, next.holds, next.may = t, maps.Clone(p.holds), slices.Clone(p.may)
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	d := mountSmall(t, p.dir)
	if out, err := exec.Command("cp", "-a", copied+"/.", p.dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the place: %v\n%s", err, out)
	}
	return &next, d
}

// saysFull is how a verb says that there is no room, and what is to be done. SQLite does not tell a
// full disk from another one that fails.
var saysFull = regexp.MustCompile(`(no space left on device|is full).*: make room there|` +
	`disk I/O error: see whether .* has room|bytes left: .* make room; nothing was restored`)

// meetsFullDisk runs a verb with room for n more, and then as somebody would who has made room. It
// reports whether the verb was done.
func meetsFullDisk(t *testing.T, p *place, copied string, v killed, little scarcity, n int) (done bool) {
	q, d := p.onSmallDisk(t, copied)
	words := q.words(v.verb)
	little.leave(d, n)
	code, stdout, stderr := q.run(words...)
	switch {
	case code == exitDone:
	case (v.broken && code == exitIntegrity || code == exitDrill) && strings.Contains(stderr, "no space left on device"): // there is damage still, or nothing proven, for that reason
	case code != exitFailed && code != exitMissing && code != exitRefused:
		t.Errorf("with room for %d %s %v ends with %d\n%s%s", n, little.name, words, code, stdout, stderr)
	case !saysFull.MatchString(stderr):
		t.Errorf("with room for %d %s %v does not tell of the full disk:\n%s%s", n, little.name, words, stdout, stderr)
	}
	d.leavePlenty()
	q.noHalves()
	q.resumes(v)
	return code == exitDone
}

// noHalves fails the test if there is something below the target of a restore that is not whole.
func (p *place) noHalves() {
	p.t.Helper()
	all := slices.AppendSeq(append(p.may, p.source()), maps.Values(p.holds))
	for name, sum := range p.treeIfAny(p.path("out")) {
		if name == "table.sqlite" {
			p.isTable("out/" + name)
		} else if !slices.ContainsFunc(all, func(m map[string][32]byte) bool { return m[name] == sum }) {
			p.t.Errorf("%s in the target is not what was backed up", name)
		}
	}
}

func (p *place) treeIfAny(dir string) map[string][32]byte {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil
	}
	return p.tree(dir)
}

func TestSoakWhatMeetsAFullDiskGoesOnOnceThereIsRoom(t *testing.T) {
	base := withSnapshots(t)
	saved := filepath.Join(filepath.Dir(base.dir), "base")
	base.copyTo(saved)
	runs, verbs := 0, 0
	for i, v := range slices.Concat(killedVerbs, localVerbs) {
		if i%scarceVerbs != 0 {
			continue
		}
		verbs++
		t.Run(v.name, func(t *testing.T) {
			p := prepared(t, base, saved, v)
			copied := saved + ".copied"
			p.copyTo(copied)
			t.Cleanup(func() { os.RemoveAll(copied) })
			for _, little := range scarcities {
				n, done := 0, 0
				for ; done < 3; n += scarceStep {
					t.Run(fmt.Sprintf("%d %s", n, little.name), func(t *testing.T) {
						if meetsFullDisk(t, p, copied, v, little, n) {
							done++
						}
					})
					if runs++; t.Failed() {
						return
					}
				}
				t.Logf("full disk %-26s done with %d %s", v.name, n-3*scarceStep, little.name)
			}
		})
	}
	t.Logf("counted: full disk: %d verbs, %d runs", verbs, runs)
}

func TestADrillMeetsADiskWithRoomForFewNames(t *testing.T) {
	base := withSnapshots(t)
	saved := filepath.Join(filepath.Dir(base.dir), "base")
	base.copyTo(saved)
	i := slices.IndexFunc(killedVerbs, func(v killed) bool { return v.name == "drill run" })
	p := prepared(t, base, saved, killedVerbs[i])
	copied := saved + ".copied"
	p.copyTo(copied)
	for n := range 6 {
		t.Run(fmt.Sprint(n), func(t *testing.T) { meetsFullDisk(t, p, copied, killedVerbs[i], scarcities[1], n) })
	}
}

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store"
)

// place is a machine whose program is killed: repositories, a home with keys, cache and settings,
// and a directory that is backed up. All of it is below one directory, and a copy of that is what a
// kill leaves.
type place struct {
	t       *testing.T
	dir     string                         // the same one for all copies, since records and caches remember addresses
	repo    string                         // the repository that the verb writes to
	holds   map[string]map[string][32]byte // what each snapshot has, of those that must be there
	may     []map[string][32]byte          // what others may have, beside what is in the source now
	first   string                         // the oldest snapshot
	through func(store.Store) store.Store
}

const killSettings = `version: 1
sources:
  files: {type: files, path: %[1]s/data}
  table: {type: database, url: "sqlite:%[1]s/table.db"}
sets:
  set: {sources: [files]}
  all: {sources: [files, table]}
`

// memoryDirectory is a new directory in memory if the machine has a place for it: what is copied
// for each point would wear a disk out.
func memoryDirectory(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "packstone-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", dir).Run(); _ = os.RemoveAll(dir) })
	return dir
}

// newPlace is a place with a source, and nothing else.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: filepath.Join(memoryDirectory(t), "w"), holds: map[string]map[string][32]byte{}}
	p.repo = p.path("repository")
	for _, dir := range []string{"home", "data", "keys"} {
		if err := os.MkdirAll(p.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.write("home/packstone.yaml", fmt.Appendf(nil, killSettings, p.dir))
	for i := range 4 {
		p.write(fmt.Sprintf("data/file%d", i), noise(9_000+i*1000, byte(i)))
	}
	p.write("data/secret", []byte("a secret"))
	return p
}

// withSnapshots is a place with a repository and two snapshots of a source that has changed.
func withSnapshots(t *testing.T) *place {
	p := newPlace(t)
	p.must("init", "--classic")
	p.backup()
	p.write("data/file1", noise(9_500, 11))
	p.backup()
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name string, body []byte) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), body, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) env() []string {
	home := p.path("home")
	return []string{
		"HOME=" + home, "XDG_CACHE_HOME=" + home + "/cache", "XDG_CONFIG_HOME=" + home + "/config", "XDG_DATA_HOME=" + home + "/data",
		"XDG_STATE_HOME=" + home + "/state", "PACKSTONE_CONFIG=" + home + "/packstone.yaml", "PACKSTONE_REPOSITORY=" + p.repo,
		"PACKSTONE_HOST=host", "TZ=UTC", "PATH=" + os.Getenv("PATH"),
	}
}

// run runs a verb. In its words @ is the directory of the place.
func (p *place) run(words ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	args := slices.Clone(words)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "@", p.dir)
	}
	return runThrough(p.t, p.through, p.env(), args...)
}

// must runs a verb that may end with 0 alone.
func (p *place) must(words ...string) string {
	p.t.Helper()
	code, stdout, stderr := p.run(words...)
	if code != 0 {
		p.t.Fatalf("%v ends with %d\n%s%s", words, code, stdout, stderr)
	}
	return stdout
}

// backup makes a snapshot, and remembers what it has.
func (p *place) backup() {
	p.t.Helper()
	id := lastField([]byte(p.must("backup", "set", "--json")), "snapshot_id")
	p.holds[id] = p.source()
	if p.first == "" {
		p.first = id
	}
}

// source is what the source has now.
func (p *place) source() map[string][32]byte { return p.tree(p.path("data")) }

func (p *place) tree(dir string) map[string][32]byte {
	p.t.Helper()
	all, err := contents(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// lose says that a snapshot need not be there any more.
func (p *place) lose(id string) {
	p.may = append(p.may, p.holds[id])
	delete(p.holds, id)
}

// in is the place as it is in a copy of its directory, which is used up.
func (p *place) in(t *testing.T, copied string) *place {
	t.Helper()
	next := *p
	next.t, next.holds, next.may = t, maps.Clone(p.holds), slices.Clone(p.may)
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(copied, p.dir); err != nil {
		t.Fatal(err)
	}
	return &next
}

// copyTo copies all that is there, with modes and times. It begins again if a file is gone meanwhile:
// the call that is held holds one goroutine, and another one may give a file of the cache its name.
func (p *place) copyTo(to string) {
	p.t.Helper()
	for tries := 1; ; tries++ {
		out, err := exec.Command("cp", "-a", p.dir, to).CombinedOutput()
		if err == nil {
			return
		}
		if tries == 10 || !bytes.Contains(out, []byte("No such file or directory")) {
			p.t.Fatalf("copy the place: %v\n%s", err, out)
		}
		if err := os.RemoveAll(to); err != nil {
			p.t.Fatal(err)
		}
	}
}

// sum is a hash of all names and contents. It begins again as copyTo does.
func (p *place) sum() [sha256.Size]byte {
	p.t.Helper()
	for tries := 1; ; tries++ {
		sum, err := sumOf(p.dir)
		if err == nil {
			return sum
		}
		if tries == 10 || !errors.Is(err, fs.ErrNotExist) {
			p.t.Fatalf("hash the place: %v", err)
		}
	}
}

func sumOf(dir string) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "reserve" { // which is large, and says nothing
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %v\n", path, info.Mode())
		if !info.Mode().IsRegular() {
			return nil
		}
		body, err := os.ReadFile(path)
		fmt.Fprintf(h, "%d\n", len(body))
		h.Write(body)
		return err
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}

// isWhole fails the test unless the repository is sound, and each snapshot comes back as its source
// was.
func (p *place) isWhole() {
	p.t.Helper()
	if code, stdout, stderr := p.run("check", "--read-data"); code != 0 {
		p.t.Errorf("check ends with %d\n%s%s", code, stdout, stderr)
	}
	var all []struct{ ID string }
	if err := json.Unmarshal([]byte(p.must("snapshots", "--json")), &all); err != nil {
		p.t.Fatal(err)
	}
	there := map[string]bool{}
	for _, s := range all {
		there[s.ID] = true
		p.comesBack(s.ID)
	}
	for id := range p.holds {
		if !there[id] {
			p.t.Errorf("snapshot %s is gone", id)
		}
	}
}

// comesBack restores a snapshot and compares.
func (p *place) comesBack(id string) {
	p.t.Helper()
	to, err := os.MkdirTemp(filepath.Dir(p.dir), "back")
	if err != nil {
		p.t.Fatal(err)
	}
	defer os.RemoveAll(to)
	p.must("restore", "-q", id, "--target", to)
	got := p.tree(filepath.Join(to, "files"))
	if want, known := p.holds[id]; known {
		if !maps.Equal(got, want) {
			p.t.Errorf("snapshot %s comes back as something else: %s", id, differing(got, want))
		}
		return
	}
	if !slices.ContainsFunc(append(p.may, p.source()), func(m map[string][32]byte) bool { return maps.Equal(m, got) }) {
		p.t.Errorf("snapshot %s, which is new, has what was never in the source", id)
	}
}

func differing(got, want map[string][32]byte) (all []string) {
	for name := range want {
		if got[name] != want[name] {
			all = append(all, name)
		}
	}
	return all
}

// isTidy prunes, and fails the test unless nothing is left to be pruned then.
func (p *place) isTidy() {
	p.t.Helper()
	prune := []string{"prune", "--grace", "0", "--yes", "--dead-after", "0s", "--json"}
	p.must(prune...) // may only sight what no run has named
	p.must(prune...)
	out := p.must(prune...)
	var m struct {
		Packs     int `json:"packs_deleted"`
		Later     int `json:"bytes_later"`
		Leftovers int
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
		p.t.Fatal(err)
	}
	if m.Packs+m.Later+m.Leftovers > 0 {
		p.t.Errorf("after two prunes there is more to delete: %s", out)
	}
}

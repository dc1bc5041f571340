package pipeline_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
)

var generate = flag.Bool("generate", false, "write golden repositories that are not there yet")

// A golden repository is a directory of ../catalog/testdata:
//
//	repository/   the objects as stored
//	first.txt     the age identity that it was made with
//	second.txt    one that was admitted later, and reads what is older through detached headers
//	writer.key    the writer's key file
//	files.txt     a line for each file: number of the snapshot, tags, source, path, SHA-256 of its content
//
// Every version must open, check, list and restore all of them, with either identity, and go on
// with them.
const goldenDir = "../catalog/testdata"

func TestGoldenRepositoriesAreReadForGood(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	for name, made := range map[string]func(t *testing.T, dir string, classic bool){
		"v1-hybrid": makeGolden, "v1-classic": makeGolden, "v1-members-hybrid": makeMembers, "v1-members-classic": makeMembers,
		"v1-forgotten-hybrid": makeForgotten, "v1-forgotten-classic": makeForgotten,
		"v1-moved-hybrid": makeMoved, "v1-moved-classic": makeMoved,
		"v1-rolled-hybrid": makeRolled, "v1-rolled-classic": makeRolled,
	} {
		dir := filepath.Join(goldenDir, name)
		if _, err := os.Stat(dir); err != nil && *generate {
			made(t, dir, strings.HasSuffix(name, "classic"))
		}
		for _, identity := range []string{"first.txt", "second.txt"} {
			t.Run(name+"/"+identity, func(t *testing.T) { readGolden(t, dir, identity) })
		}
	}
}

func readGolden(t *testing.T, dir, identity string) {
	w := openGolden(t, dir, identity)
	w.check()
	want, err := os.ReadFile(filepath.Join(dir, "files.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.listing(); got != string(want) {
		t.Errorf("restored\n%s\nwant\n%s", got, want)
	}
	src := randomSource(3, 3000, 70)
	w.mustBackup(src)
	w.check()
	w.same(0, src)
}

func TestWhatGoldenRepositoriesSayOfTheirWriters(t *testing.T) {
	for _, name := range []string{"v1-members-hybrid", "v1-members-classic"} {
		w := openGolden(t, filepath.Join(goldenDir, name), "second.txt")
		var got []string
		for _, s := range w.snapshots() {
			got = append(got, fmt.Sprintf("%s by %s: %s", s.Host, s.Writer, s.Standing))
			if s.Host == "db1-old" && (s.Undated || s.Date.Format(time.DateOnly) != "2020-02-03" || s.Time.Format(time.DateOnly) != "2020-02-02") {
				t.Errorf("%s: the snapshot that was dated back is of %v, dated %v (undated %v)", name, s.Time, s.Date, s.Undated)
			}
		}
		want := []string{"db1-old by db1: bound", "host by host: bound", "host by host: bound", "host by host: bound"}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		c := w.reader().Config
		if c.Rules != 1 || !slices.Equal(c.Required, []string{"members"}) || len(c.Writers[0].Earlier) != 1 || c.Domains[0].SHA256 == "" {
			t.Errorf("%s: config has rules %d, requires %q, writers %+v, domains %+v", name, c.Rules, c.Required, c.Writers, c.Domains)
		}
		heads, runs := map[string]uint64{}, 0
		for _, rec := range w.log().Records {
			for lane, head := range rec.Heads {
				heads[lane] = max(heads[lane], head.Sequence)
			}
			if rec.Run != "" {
				runs++
			}
		}
		if heads["db1.0"] != 1 || heads["owner.0"] != 1 || runs != 4 {
			t.Errorf("%s: heads %v, %d records of runs", name, heads, runs)
		}
	}
}

func openGolden(t *testing.T, dir, identity string) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), cache: t.TempDir()}
	w.identity = parsed(t, filepath.Join(dir, identity), func(f *os.File) (*crypto.IdentityFile, error) { return crypto.ParseIdentities(f, nil) })
	w.writer = parsed(t, filepath.Join(dir, "writer.key"), func(f *os.File) (*crypto.WriterFile, error) { return crypto.ParseWriterFile(f) })
	w.identity.Owners = append(w.identity.Owners, crypto.OwnerPin{Repository: w.writer.Repository, Owner: w.writer.Owner})
	root := os.DirFS(filepath.Join(dir, "repository"))
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		w.store.Set(path, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func parsed[T any](t *testing.T, path string, parse func(*os.File) (T, error)) T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := parse(f)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// listing restores everything and says what came back.
func (w *world) listing() string {
	w.t.Helper()
	var out strings.Builder
	for i, s := range w.snapshots() {
		for j := range s.Sources {
			to := newTarget()
			problem := func(path string, err error) { w.t.Errorf("restore %s: %v", path, err) }
			if _, err := w.restoreTo(to, s, j, restore.Options{Verify: true, Problem: problem}); err != nil {
				w.t.Fatal(err)
			}
			for _, path := range slices.Sorted(maps.Keys(to.files)) {
				fmt.Fprintf(&out, "%d %v %s %s %x\n", i, s.Tags, s.Sources[j].Name, path, sha256.Sum256(to.files[path].content))
			}
		}
	}
	return out.String()
}

// makeGolden makes a repository with every kind of object, and writes it to dir.
func makeGolden(t *testing.T, dir string, classic bool) {
	w := newWorldOf(t, classic)
	w.collects(t, "sweep", 2)
	first := w.identity
	src := randomSource(4, 1500, 1)
	src.add("text", bytes.Repeat([]byte("golden\n"), 100))
	src.add("empty", nil)
	for _, path := range []string{"link a", "link b"} {
		f := src.add(path, []byte("one file with two names"))
		f.Links, f.Inode, f.ModTime = 2, 5, entry.NanoTime(5)
	}
	w.mustBackup(src)
	failing := randomSource(2, 900, 40)
	failing.files["dir/file001.bin"].finish = source.ErrFailed
	if _, err := w.backup(w.store, w.options(failing)); err == nil {
		t.Fatal("a failing source made a snapshot")
	}
	w.collects(t, "condemn", 1)
	src.change("dir/file002.bin", randomBytes(1600, 30))
	w.mustBackup(src, randomSource(2, 1000, 60))
	second, recipient := identityOf(t, classic)
	old, err := crypto.RecipientOf(first.Identities[0])
	if err != nil {
		t.Fatal(err)
	}
	repo := w.reader()
	if err := repo.SetRecipients(t.Context(), w.owner, []age.Recipient{old, recipient}); err != nil {
		t.Fatal(err)
	}
	w.tagAll("golden")
	src.add("zlast", randomBytes(700, 80))
	w.mustBackup(src, randomSource(2, 1000, 61))
	w.writeGolden(dir, map[string]age.Identity{"first.txt": first.Identities[0], "second.txt": second})
}

// makeMembers makes a repository with what came after: writers with hosts, earlier hosts, groups
// and roles, records with heads, groups, runs and dates, times of every year, marks and holes.
func makeMembers(t *testing.T, dir string, classic bool) {
	w := newWorldOf(t, classic)
	first := w.identity
	src := randomSource(2, 1500, 1)
	src.add("long ago", []byte("before 1677")).ModTime = entry.Time{Seconds: -20_000_000_000, Nanos: 7}
	src.add("late", []byte("after 2262")).ModTime = entry.Time{Seconds: 20_000_000_000}
	w.mustBackup(src)
	failing := randomSource(2, 900, 40)
	failing.files["dir/file001.bin"].finish = source.ErrFailed
	if _, err := w.backup(w.store, w.options(failing)); err == nil {
		t.Fatal("a failing source made a snapshot")
	}
	w.collects(t, "condemn", 1)
	other := forgetest.New(w.store, w.admit(catalog.Member{Hosts: []string{"db1", "db1-*"}, Group: "all", Roles: []string{catalog.RoleBackdate}}, "db1"))
	w.change(func(c *catalog.Config) {
		c.Writers[0].Rebind([]string{"host"}, w.log())
		c.Writers[0].Group = "all"
	})
	src.change("dir/file001.bin", randomBytes(1600, 30))
	w.mustBackup(src)
	hole := archive.Chunk{Length: 1 << 20}
	id, err := other.Commit(t.Context(), forgetest.Snapshot{
		Host: "db1-old", Set: "set", Source: "source0", Files: map[string]string{"etc/conf": "of db1"},
		Nodes: []*tree.Node{
			{Entry: entry.Entry{Path: "hole", Type: entry.File, Mode: 0o600, Size: 2 << 20, Extents: []entry.Extent{}}, Chunks: []archive.Chunk{hole, hole}},
			{Entry: entry.Entry{Path: "mount", Type: entry.Directory, Mode: 0o755, Unknown: entry.OtherFileSystem}},
			{Entry: entry.Entry{Path: "secret", Type: entry.File, Unknown: entry.Unreadable}},
			{Entry: entry.Entry{Path: "skipped", Type: entry.File, Unknown: entry.Excluded}},
		},
		Clear:  map[string]any{"time": time.Date(2020, 2, 2, 0, 0, 0, 0, time.UTC), "group": other.Mark("group", "set", "db1-old")},
		Sealed: map[string]any{"time": time.Date(2020, 2, 2, 0, 0, 0, 0, time.UTC)},
	})
	if err != nil {
		t.Fatal(err)
	}
	owner := forgetest.New(w.store, w.writer)
	owner.By = w.owner
	dates := map[string]any{id: time.Date(2020, 2, 3, 0, 0, 0, 0, time.UTC)}
	if _, err := owner.Record(t.Context(), "owner.0", "date", map[string]any{"dates": dates}); err != nil {
		t.Fatal(err)
	}
	second, recipient := identityOf(t, classic)
	old, err := crypto.RecipientOf(first.Identities[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.reader().SetRecipients(t.Context(), w.owner, []age.Recipient{old, recipient}); err != nil {
		t.Fatal(err)
	}
	src.add("zlast", randomBytes(700, 80))
	w.mustBackup(src, randomSource(2, 1000, 61))
	w.writeGolden(dir, map[string]age.Identity{"first.txt": first.Identities[0], "second.txt": second})
}

func identityOf(t *testing.T, classic bool) (age.Identity, age.Recipient) {
	t.Helper()
	identity, err := crypto.GenerateIdentity(classic)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	return identity, recipient
}

func (w *world) tagAll(tag string) {
	w.t.Helper()
	repo, err := w.open(w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := repo.Begin(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetTags(w.t.Context(), w.snapshots(), []string{tag}, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) writeGolden(dir string, identities map[string]age.Identity) {
	w.t.Helper()
	key, err := w.writer.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	files := map[string][]byte{"writer.key": key, "files.txt": []byte(w.listing())}
	for name, identity := range identities {
		var b bytes.Buffer
		if err := crypto.WriteIdentityFile(&b, crypto.IdentityFile{Identities: []age.Identity{identity}}, crypto.IdentityFileOptions{}); err != nil {
			w.t.Fatal(err)
		}
		files[name] = b.Bytes()
	}
	for info := range w.store.List(w.t.Context(), "", "") {
		data, err := w.store.Get(w.t.Context(), info.Name, 0, -1, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		files["repository/"+info.Name] = data
	}
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
}

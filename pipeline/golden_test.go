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

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline"
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
// Every version must open, check, list and restore all of them, with either identity, and go on with them.
const goldenDir = "../catalog/testdata"

func TestGoldenRepositoriesAreReadForGood(t *testing.T) {
	for _, name := range []string{"v1-hybrid", "v1-classic"} {
		dir := filepath.Join(goldenDir, name)
		if _, err := os.Stat(dir); err != nil && *generate {
			makeGolden(t, dir, name == "v1-classic")
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

func openGolden(t *testing.T, dir, identity string) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), cache: t.TempDir()}
	w.identity = parsed(t, filepath.Join(dir, identity), func(f *os.File) (*crypto.IdentityFile, error) { return crypto.ParseIdentities(f, nil) })
	w.writer = parsed(t, filepath.Join(dir, "writer.key"), func(f *os.File) (*crypto.WriterFile, error) { return crypto.ParseWriterFile(f) })
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
			if _, err := w.restoreTo(to, s, j, pipeline.RestoreOptions{Verify: true, Problem: problem}); err != nil {
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

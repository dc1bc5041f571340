package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store/localdir"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/source"
)

// growing is a source of many small files in folders, of which some change every day. Each day also
// writes a report, which is deleted after a while.
type growing struct {
	day     int // from 1 on
	paths   []string
	changed []int // by file: the day of its content
}

const (
	inFolder    = 300 // files
	foldersADay = 10  // in which files change
	filesADay   = 10  // that change in each of them
	reportsKept = 90  // days
)

func newGrowing(files int) *growing {
	g := &growing{changed: make([]int, files)}
	for i := range files {
		g.paths = append(g.paths, fmt.Sprintf("folder-%04d/file-%03d.txt", i/inFolder, i%inFolder))
	}
	return g
}

// next goes on to the next day.
func (g *growing) next() {
	g.day++
	folders := len(g.changed) / inFolder
	for i := range foldersADay {
		for j := range filesADay {
			g.changed[(g.day*7+i*folders/foldersADay)%folders*inFolder+(g.day*11+j*inFolder/filesADay)%inFolder] = g.day
		}
	}
}

// date is when a day's backup is made.
func date(day int) time.Time { return time.Date(2021, 1, 1+day, 2, 0, 0, 0, time.UTC) }

func (g *growing) Class() source.Class { return source.ClassSmall }
func (g *growing) Close() error        { return nil }

func (g *growing) Walk(_ context.Context, v source.Visitor) error {
	var err error
	visit := func(e *entry.Entry) {
		if err == nil {
			err = v.Visit(e)
		}
	}
	folder := func(path string) {
		visit(&entry.Entry{Path: path, Type: entry.Directory, Mode: 0o755, ModTime: entry.TimeOf(date(0))})
	}
	file := func(path string, day int) {
		e := &entry.Entry{Path: path, Type: entry.File, Mode: 0o644, ModTime: entry.TimeOf(date(day))}
		e.Size = int64(len(path) + len(" as of 2021-01-01\n"))
		visit(e)
	}
	folder("")
	for i, day := range g.changed {
		if i%inFolder == 0 {
			folder(g.paths[i][:len("folder-0000")])
		}
		file(g.paths[i], day)
	}
	folder("reports")
	for day := max(1, g.day-reportsKept+1); day <= g.day; day++ {
		file(fmt.Sprintf("reports/day-%04d.txt", day), day)
	}
	return err
}

func (g *growing) Detail(context.Context, *entry.Entry) error { return nil }

func (g *growing) Open(_ context.Context, e *entry.Entry) (source.File, error) {
	text := fmt.Sprintf("%s as of %s\n", e.Path, e.ModTime.Time().UTC().Format(time.DateOnly))
	return growingFile{strings.NewReader(text)}, nil
}

type growingFile struct{ io.Reader }

func (growingFile) Finish(*entry.Entry) error { return nil }
func (growingFile) Close() error              { return nil }

// newLargeWorld opens the world in a directory, or begins it. Its clock stands where its last day
// ended.
func newLargeWorld(t testing.TB, dir string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), cache: filepath.Join(dir, "cache"), now: date(0)}
	w.clock = func() time.Time { return w.now }
	local, err := localdir.Create(filepath.Join(dir, "repository"))
	if err != nil {
		t.Fatal(err)
	}
	w.store = local
	key, identity := filepath.Join(dir, "writer"), filepath.Join(dir, "identity")
	if _, err := os.Stat(key); errors.Is(err, fs.ErrNotExist) {
		w.begin(key, identity)
	}
	w.writer = parsedFile(t, key, crypto.ParseWriterFile)
	w.identity = parsedFile(t, identity, func(r io.Reader) (*crypto.IdentityFile, error) { return crypto.ParseIdentities(r, nil) })
	w.Page = New(w.source(), trusted)
	return w
}

func parsedFile[T any](t testing.TB, path string, parse func(io.Reader) (T, error)) T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// begin makes the repository, and writes its keys to files.
func (w *world) begin(key, identity string) {
	w.t.Helper()
	id, err := crypto.GenerateIdentity(false)
	if err != nil {
		w.t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(id)
	if err != nil {
		w.t.Fatal(err)
	}
	writer, err := catalog.Init(w.t.Context(), w.store, w.signer("owner"), w.signer("host"), []age.Recipient{recipient}, nil, catalog.Options{Now: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	var text bytes.Buffer
	err = crypto.WriteIdentityFile(&text, crypto.IdentityFile{Identities: []age.Identity{id}}, crypto.IdentityFileOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	encoded, err := writer.Encode()
	if err := errors.Join(err, os.WriteFile(identity, text.Bytes(), 0o600), os.WriteFile(key, encoded, 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

// grow backs up a set, day after day, until there are so many snapshots of so many files. It
// returns how many it took.
func (w *world) grow(set string, files, snapshots int) (taken int) {
	w.t.Helper()
	repo, err := w.open(catalog.Keys{Identities: w.identity})
	if err != nil {
		w.t.Fatal(err)
	}
	log, err := repo.ReadLog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	there, err := repo.Snapshots(w.t.Context(), log)
	if err != nil {
		w.t.Fatal(err)
	}
	g := newGrowing(files)
	for _, s := range there {
		if s.Set == set {
			g.next()
		}
	}
	for days := len(there); g.day < snapshots; {
		g.next()
		days++
		w.now = date(days)
		w.takeInto(repo, set, g)
		w.backdate()
		taken++
	}
	return taken
}

// backdate has the storage say that it got the last records on the day of the world.
func (w *world) backdate() {
	w.t.Helper()
	began := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(filepath.Join(filepath.Dir(w.cache), "repository", "log"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.ModTime().After(began) {
			err = os.Chtimes(path, w.now, w.now)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

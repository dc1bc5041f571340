package main

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store/localdir"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/source"
)

// forger is a host that holds a good key and says with it what our program never would.
type forger struct {
	t          *testing.T
	env        []string
	repository string
	key        *crypto.WriterFile
}

func newForger(t *testing.T) *forger {
	t.Helper()
	home := t.TempDir()
	f := &forger{t: t, repository: filepath.Join(home, "repository")}
	f.env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PACKSTONE_REPOSITORY=" + f.repository}
	if code, _, stderr := runWith(t, f.env, "init"); code != 0 {
		t.Fatalf("init ends with %d: %s", code, stderr)
	}
	keys, err := filepath.Glob(filepath.Join(home, ".config/packstone/writers/*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys: %q, %v", keys, err)
	}
	file, err := os.Open(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if f.key, err = crypto.ParseWriterFile(file); err != nil {
		t.Fatal(err)
	}
	return f
}

// forge commits a snapshot whose only source has a name, a type and entries of one's choice.
func (f *forger) forge(name, kind string, paths []string, entries ...entry.Entry) {
	f.t.Helper()
	store, err := localdir.Open(f.repository)
	if err != nil {
		f.t.Fatal(err)
	}
	repo, err := catalog.Open(f.t.Context(), store, catalog.Options{Keys: catalog.Keys{Writer: f.key}, Software: "forged"})
	if err != nil {
		f.t.Fatal(err)
	}
	_, err = backup.Run(f.t.Context(), repo, backup.Options{Set: "set", Host: "host", Jobs: []backup.Job{{
		Name: name, Type: kind, Location: "forged", Paths: paths,
		Open: func(context.Context) (source.Source, error) { return forgedSource(entries), nil },
	}}})
	if err != nil {
		f.t.Fatal(err)
	}
}

// forgedSource lists whatever it is told to. Each file holds the word forged.
type forgedSource []entry.Entry

func (s forgedSource) Class() source.Class                        { return source.ClassSmall }
func (s forgedSource) Close() error                               { return nil }
func (s forgedSource) Detail(context.Context, *entry.Entry) error { return nil }

func (s forgedSource) Walk(_ context.Context, v source.Visitor) error {
	for i := range s {
		e := s[i]
		if err := v.Visit(&e); err != nil {
			return err
		}
	}
	return nil
}

func (s forgedSource) Open(context.Context, *entry.Entry) (source.File, error) {
	return forgedFile{strings.NewReader("forged")}, nil
}

type forgedFile struct{ *strings.Reader }

func (forgedFile) Finish(*entry.Entry) error { return nil }
func (forgedFile) Close() error              { return nil }

var _ io.Reader = forgedFile{}

func forgedEntry(path string) entry.Entry {
	return entry.Entry{Path: path, Type: entry.File, Mode: 0o644, Size: 6}
}

// forgedFiles are the files below a directory that a forger has got there.
func forgedFiles(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if text, _ := os.ReadFile(path); string(text) == "forged" {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestNamesOfASnapshotLeadNowhere: a good key, and names that lead elsewhere, by every way out. The
// same forger is believed where names are good.
func TestNamesOfASnapshotLeadNowhere(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		paths      []string
		path       string // of a file in its tree
		code       int
	}{
		{"good", "files", nil, "sub/x", exitDone},
		{catalog.PathsName, "files", []string{"/srv/data"}, "srv/data/x", exitDone},
		{"../../x", "files", nil, "x", exitIntegrity},
		{"..", "files", nil, "x", exitIntegrity},
		{"", "files", nil, "x", exitIntegrity},
		{".", "files", nil, "x", exitIntegrity},
		{"/abs", "files", nil, "x", exitIntegrity},
		{"a/../../b", "files", nil, "x", exitIntegrity},
		{"//", "files", nil, "x", exitIntegrity},
		{"../../x", "database", nil, "schema.json", exitIntegrity},
		{"../../x", "command", nil, "x", exitIntegrity},
		{catalog.PathsName, "files", []string{"/srv/../../data"}, "srv/data/x", exitIntegrity},
		{catalog.PathsName, "files", []string{"data"}, "data/x", exitIntegrity},
	} {
		t.Run(c.name+" "+c.path, func(t *testing.T) {
			f := newForger(t)
			f.forge(c.name, c.kind, c.paths, forgedEntry(c.path))
			base := t.TempDir()
			deep := filepath.Join(base, "a/b/c")
			if err := os.MkdirAll(deep, 0o755); err != nil {
				t.Fatal(err)
			}
			target := filepath.Join(deep, "target")
			for _, args := range [][]string{
				{"restore", "latest", "--target", target}, {"restore", "latest", "--target", target, "--delete", "--yes"}, {"restore", "latest", "--target", target, "-n"},
				{"dump", "latest"}, {"ls", "latest"},
			} {
				code, stdout, stderr := runWith(t, f.env, args...)
				if code != c.code {
					t.Errorf("%q ends with %d, want %d: %s", args, code, c.code, stderr)
				}
				if c.code != exitDone && strings.Contains(stdout, "forged") {
					t.Errorf("%q prints what was forged", args)
				}
			}
			if c.code == exitDone {
				if got := forgedFiles(t, target); len(got) != 1 {
					t.Errorf("an honest snapshot restores %q, want one file", got)
				}
				return
			}
			for _, args := range [][]string{
				{"restore", "latest", "--in-place"}, {"restore", "latest", "--to", "sftp://me@127.0.0.1:1/x"}, {"restore", "latest", "--to", "ftp://127.0.0.1:1/x"},
				{"restore", "latest", "--to", "sqlite:" + filepath.Join(deep, "new.db")}, {"restore", "latest", "--to-command", "--", "cat"},
			} {
				if code, stdout, _ := runWith(t, f.env, args...); code == exitDone || strings.Contains(stdout, "forged") {
					t.Errorf("%q ends with %d and prints %q", args, code, stdout)
				}
			}
			if got := forgedFiles(t, base); len(got) > 0 {
				t.Errorf("got files at %q", got)
			}
		})
	}
}

func TestCheckNamesASnapshotWithForgedNames(t *testing.T) {
	f := newForger(t)
	f.forge("../../x", "files", nil, forgedEntry("x"))
	code, stdout, stderr := runWith(t, f.env, "check")
	if code != exitIntegrity || !strings.Contains(stdout+stderr, "../../x") {
		t.Errorf("check ends with %d: %s%s, want %d and the name", code, stdout, stderr, exitIntegrity)
	}
}

// TestNothingIsWrittenBelowALinkOfASnapshot: a tree that has a link, and something below it.
func TestNothingIsWrittenBelowALinkOfASnapshot(t *testing.T) {
	f := newForger(t)
	outside := t.TempDir()
	f.forge("good", "files", nil, entry.Entry{Path: "link", Type: entry.Symlink, Target: outside}, forgedEntry("link/x"), forgedEntry("z"))
	target := filepath.Join(t.TempDir(), "target")
	for range 2 {
		if code, _, stderr := runWith(t, f.env, "restore", "latest", "--target", target, "--delete"); code != exitIntegrity {
			t.Errorf("restore ends with %d, want %d: %s", code, exitIntegrity, stderr)
		}
	}
	if got := forgedFiles(t, outside); len(got) > 0 {
		t.Errorf("behind the link lie %q", got)
	}
	if got := forgedFiles(t, target); len(got) != 1 {
		t.Errorf("restored %q, want z alone", got)
	}
	if code, _, stderr := runWith(t, f.env, "dump", "latest"); code != exitIntegrity {
		t.Errorf("dump ends with %d, want %d: %s", code, exitIntegrity, stderr)
	}
}

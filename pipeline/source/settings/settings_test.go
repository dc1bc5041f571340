package settings_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/settings"
	"github.com/packstone/packstone/pipeline/source/sourcetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, file string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, []byte("content of "+filepath.Base(file)), 0o600))
	must(t, os.Chmod(file, mode))
}

func open(t *testing.T, options settings.Options) *settings.Source {
	t.Helper()
	s, err := settings.New(options)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func TestEntriesLieBelowTheirComponentWithTheirPermissions(t *testing.T) {
	top := t.TempDir()
	put(t, top+"/opt/api/instance/secret.key", 0o400)
	put(t, top+"/opt/api/instance/conf.d/a.yaml", 0o640)
	put(t, top+"/srv/jupyter/config.py", 0o644)
	put(t, top+"/srv/api-2/x", 0o644)
	s := open(t, settings.Options{Components: map[string]string{"jupyter": top + "/srv/jupyter", "api": top + "/opt/api/instance/", "api-2": top + "/srv/api-2"}})
	found := sourcetest.Walk(t, s)
	var paths []string
	for _, e := range found.Entries {
		paths = append(paths, e.Path)
		before := e.Path
		must(t, s.Detail(context.Background(), e))
		if e.Path != before {
			t.Errorf("Detail made the path %q of %q", e.Path, before)
		}
	}
	want := []string{"api", "api/conf.d", "api/conf.d/a.yaml", "api/secret.key", "api-2", "api-2/x", "jupyter", "jupyter/config.py"}
	if !slices.Equal(paths, want) {
		t.Fatalf("got  %q\nwant %q", paths, want)
	}
	key := found.Find("api/secret.key")
	text, err := sourcetest.Read(s, key)
	if key.Mode != 0o400 || err != nil || string(text) != "content of secret.key" || key.Path != "api/secret.key" {
		t.Errorf("got %q of mode %o at %q, %v", text, key.Mode, key.Path, err)
	}
	for _, path := range []string{"other/x", "", "api/none"} {
		if _, err := s.Open(context.Background(), &entry.Entry{Path: path, Type: entry.File}); !errors.Is(err, source.ErrVanished) {
			t.Errorf("open %q: got %v, want ErrVanished", path, err)
		}
	}
}

func TestAComponentThatIsNotThereIsNamed(t *testing.T) {
	top := t.TempDir()
	put(t, top+"/api/x", 0o600)
	put(t, top+"/file", 0o600)
	must(t, os.Mkdir(top+"/empty", 0o755))
	for folder, want := range map[string]error{"missing": fs.ErrNotExist, "empty": source.ErrEmpty, "file": nil} {
		s := open(t, settings.Options{Components: map[string]string{"api": top + "/api", "workers": top + "/" + folder}})
		err := s.Walk(context.Background(), new(sourcetest.Recorder))
		if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), "component workers") || !strings.Contains(err.Error(), top+"/"+folder) {
			t.Errorf("%s: got %v, want %v naming component and folder", folder, err, want)
		}
	}
}

func TestPatternsStartAtTheComponent(t *testing.T) {
	top := t.TempDir()
	for _, f := range []string{"a/tmp/x", "a/x.log", "b/tmp/x", "b/deep/tmp/x"} {
		put(t, top+"/"+f, 0o600)
	}
	for _, c := range []struct {
		pattern string
		gone    []string
	}{
		{"/a/tmp", []string{"a/tmp", "a/tmp/x"}},
		{"/*/tmp", []string{"a/tmp", "a/tmp/x", "b/tmp", "b/tmp/x"}},
		{"tmp/", []string{"a/tmp", "a/tmp/x", "b/deep/tmp", "b/deep/tmp/x", "b/tmp", "b/tmp/x"}},
		{top + "/b/tmp", []string{"b/tmp", "b/tmp/x"}},
		{"a/tmp", []string{"a/tmp", "a/tmp/x"}},
		{"/c/tmp", nil},
		{"/[[:alpha:]]/tmp", []string{"a/tmp", "a/tmp/x", "b/tmp", "b/tmp/x"}},
		{"/a", nil}, // a component is left out by not naming it
		{"/**/deep", []string{"b/deep", "b/deep/tmp", "b/deep/tmp/x"}},
	} {
		components := map[string]string{"a": top + "/a", "b": top + "/b"}
		all := sourcetest.Walk(t, open(t, settings.Options{Components: components}))
		got := sourcetest.Walk(t, open(t, settings.Options{Components: components, Exclude: []string{c.pattern}}))
		var gone []string
		for _, e := range all.Entries {
			if got.Find(e.Path) == nil {
				gone = append(gone, e.Path)
			}
		}
		if !slices.Equal(gone, c.gone) {
			t.Errorf("exclude %q: got without %q, want without %q", c.pattern, gone, c.gone)
		}
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for _, o := range []settings.Options{
		{}, {Components: map[string]string{"a/b": "/x"}}, {Components: map[string]string{"": "/x"}}, {Components: map[string]string{"..": "/x"}},
		{Components: map[string]string{"api": "relative"}}, {Components: map[string]string{"api": "/x"}, Exclude: []string{"["}},
	} {
		if _, err := settings.New(o); err == nil {
			t.Errorf("New(%+v): got no error", o)
		}
	}
}

// TestConformance puts a whole tree into one component and takes its name off again.
func TestConformance(t *testing.T) {
	var root string
	open := func(t *testing.T, tree sourcetest.Tree) source.Source {
		root = t.TempDir()
		for i := range tree {
			file := filepath.Join(root, tree[i].Path)
			if tree[i].Type == entry.Directory {
				must(t, os.MkdirAll(file, 0o755))
				continue
			}
			must(t, os.MkdirAll(filepath.Dir(file), 0o755))
			must(t, os.WriteFile(file, tree[i].Content, 0o600))
			must(t, os.Chmod(file, os.FileMode(tree[i].Mode)))
		}
		for i := range tree {
			must(t, os.Chmod(filepath.Join(root, tree[i].Path), os.FileMode(tree[i].Mode)))
		}
		s, err := settings.New(settings.Options{Components: map[string]string{"api": root}})
		must(t, err)
		return &within{s}
	}
	sourcetest.Run(t, open, sourcetest.Keeps{
		Root: true, Directories: true, Mode: true, Owner: true, ChangeTime: true, Inode: true, DetailVanished: true, EmptyIsError: true,
		Remove: func(t *testing.T, path string) { must(t, os.Remove(filepath.Join(root, path))) },
	})
}

// within shows one component as if it were the source.
type within struct{ *settings.Source }

func (w *within) Walk(ctx context.Context, v source.Visitor) error {
	return w.Source.Walk(ctx, &inner{v})
}

type inner struct{ source.Visitor }

func (v *inner) Visit(e *entry.Entry) error {
	e.Path = strings.TrimPrefix(strings.TrimPrefix(e.Path, "api"), "/")
	return v.Visitor.Visit(e)
}

func (w *within) Detail(ctx context.Context, e *entry.Entry) error {
	path := e.Path
	e.Path = strings.TrimSuffix("api/"+path, "/")
	err := w.Source.Detail(ctx, e)
	e.Path = path
	return err
}

func (w *within) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	outer := *e
	outer.Path = "api/" + e.Path
	return w.Source.Open(ctx, &outer)
}

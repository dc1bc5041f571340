package pipeline_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target/directory"
)

const largeFile = 32 << 20

// largeWorld has a snapshot of one large file, and a directory in which it comes back.
func largeWorld(t testing.TB) (w *world, snapshot *catalog.Snapshot, content []byte, root string) {
	t.Helper()
	w = newWorld(t)
	content = randomBytes(largeFile, 1)
	s := newSource()
	s.add("image", content)
	o := w.options(s)
	o.PackSize = 4 << 20
	snapshot, err := w.backup(w.store, o)
	if err != nil {
		t.Fatal(err)
	}
	return w, snapshot, content, t.TempDir()
}

// restoreFrom restores what lies in s, as it is seen through another store, below root.
func (w *world) restoreFrom(ctx context.Context, through store.Store, s *catalog.Snapshot, root string, o restore.Options) (restore.Result, error) {
	w.t.Helper()
	repo, err := catalog.Open(ctx, through, catalog.Options{Keys: catalog.Keys{Identities: w.identity}})
	if err != nil {
		w.t.Fatal(err)
	}
	fetcher, err := fetch.New(repo, s.Domain, fetch.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	to, err := directory.New(root, directory.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer to.Close(ctx)
	t := tree.Open(s.Sources[0].Root, fetcher.Pages(), tree.OpenOptions{})
	return restore.New(t, fetcher, to, o).Run(ctx)
}

func writeFile(t testing.TB, root string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, "image"), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestARestoreOverALargeFileFetchesOnlyWhatDiffers(t *testing.T) {
	w, snapshot, content, root := largeWorld(t)
	edited := bytes.Clone(content)
	copy(edited[largeFile/2:], randomBytes(largeFile/100, 2))
	for name, there := range map[string][]byte{
		"1 % of it differs":      edited,
		"its end is missing":     content[:largeFile*15/16],
		"something was appended": append(bytes.Clone(content), edited[:1<<20]...),
		"a hole is in it":        append(append(bytes.Clone(content[:8<<20]), make([]byte, 1<<20)...), content[9<<20:]...),
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, root, there)
			counted := count.New(w.store)
			result, err := w.restoreFrom(t.Context(), counted, snapshot, root, restore.Options{Verify: true})
			if err != nil || result.Failed > 0 || result.Restored != 1 {
				t.Fatalf("restored %+v: %v", result, err)
			}
			got, err := os.ReadFile(filepath.Join(root, "image"))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("it did not come back as it was: %v", err)
			}
			fetched := counted.Totals().Get.Bytes
			if fetched > largeFile/6 || result.Reused < largeFile*5/6 || result.Reused > largeFile {
				t.Errorf("fetched %d bytes and reused %d of %d", fetched, result.Reused, largeFile)
			}
			t.Logf("fetched %d bytes, reused %d", fetched, result.Reused)
		})
	}
}

func TestARestoreOverAnotherFileReusesNothingAndFetchesEachPackOnce(t *testing.T) {
	w, snapshot, content, root := largeWorld(t)
	writeFile(t, root, randomBytes(largeFile, 9))
	counted := count.New(w.store)
	result, err := w.restoreFrom(t.Context(), counted, snapshot, root, restore.Options{})
	if err != nil || result.Failed > 0 || result.Reused != 0 {
		t.Fatalf("restored %+v: %v", result, err)
	}
	if fetched := counted.Totals().Get.Bytes; fetched > largeFile*11/10 {
		t.Errorf("fetched %d bytes for %d", fetched, largeFile)
	}
	got, err := os.ReadFile(filepath.Join(root, "image"))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("it did not come back as it was: %v", err)
	}
}

func TestAnInterruptedRestoreLeavesTheOldFileWhole(t *testing.T) {
	w, snapshot, content, root := largeWorld(t)
	edited := bytes.Clone(content)
	copy(edited[largeFile/4:], randomBytes(1<<20, 2))
	copy(edited[largeFile/2:], randomBytes(1<<20, 3))
	writeFile(t, root, edited)
	data := func(n int) storetest.Fault {
		nth := storetest.From(n, store.ErrUnreachable)
		return func(op storetest.Op, name string) error {
			if op != storetest.Get || !strings.HasPrefix(name, "packs/") && !strings.HasPrefix(name, "data/") {
				return nil
			}
			return nth(op, name)
		}
	}
	f := &storetest.Faulty{Store: w.store, Before: data(2)}
	if _, err := w.restoreFrom(t.Context(), f, snapshot, root, restore.Options{Parallel: 1}); err == nil {
		t.Fatalf("the restore went on without its storage; calls: %v", f.Calls())
	}
	got, err := os.ReadFile(filepath.Join(root, "image"))
	if err != nil || !bytes.Equal(got, edited) {
		t.Errorf("the file that was there has changed: %v", err)
	}
	names, err := os.ReadDir(root)
	if err != nil || len(names) != 1 {
		t.Errorf("%v lie there (%v), want image alone", names, err)
	}
	if _, err := w.restoreFrom(t.Context(), w.store, snapshot, root, restore.Options{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "image")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the second restore did not bring it back: %v", err)
	}
}

func BenchmarkRestoreOverALargeFile(b *testing.B) {
	for name, differs := range map[string]int{"1 % differs": largeFile / 100, "all differs": largeFile} {
		b.Run(name, func(b *testing.B) {
			w, snapshot, content, root := largeWorld(b)
			edited := bytes.Clone(content)
			copy(edited, randomBytes(differs, 2))
			counted := count.New(w.store)
			b.SetBytes(largeFile)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				writeFile(b, root, edited)
				b.StartTimer()
				if _, err := w.restoreFrom(b.Context(), counted, snapshot, root, restore.Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(counted.Totals().Get.Bytes)/float64(b.N), "fetched-B/op")
		})
	}
}

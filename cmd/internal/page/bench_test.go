package page

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
)

// The size of the repository that the benchmark makes: many files, and many snapshots.
const (
	benchFiles     = 300_000
	benchInFolder  = 300
	benchSnapshots = 2000
)

// manyFiles is a source of small files, all of the same content.
type manyFiles struct{ files, changed int }

func (m manyFiles) Class() source.Class { return source.ClassSmall }
func (m manyFiles) Close() error        { return nil }

func (m manyFiles) Walk(_ context.Context, v source.Visitor) error {
	for i := range m.files {
		e := entry.Entry{Path: fmt.Sprintf("folder-%04d/file-%03d.txt", i/benchInFolder, i%benchInFolder), Type: entry.File, Mode: 0o644, Size: 5, ModTime: entry.NanoTime(int64(i) + 1)}
		if i == m.changed%m.files {
			e.ModTime = entry.NanoTime(int64(m.changed) + 1_000_000_000)
		}
		if err := v.Visit(&e); err != nil {
			return err
		}
	}
	return nil
}

func (m manyFiles) Detail(context.Context, *entry.Entry) error { return nil }

func (m manyFiles) Open(context.Context, *entry.Entry) (source.File, error) {
	return manyFile{bytes.NewReader([]byte("text\n"))}, nil
}

type manyFile struct{ io.Reader }

func (manyFile) Finish(*entry.Entry) error { return nil }
func (manyFile) Close() error              { return nil }

// BenchmarkPages shows each page of a repository with 300,000 files in one set and 2,000 snapshots
// of another. The first look at the repository is reported apart: it is taken when the program
// starts.
func BenchmarkPages(b *testing.B) {
	w := newBareWorld(b, trusted)
	w.cache = b.TempDir()
	repo, err := w.open(catalog.Keys{})
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	w.takeInto(repo, "large", manyFiles{benchFiles, 0})
	for i := range benchSnapshots {
		w.takeInto(repo, "many", manyFiles{benchInFolder, i})
	}
	b.Logf("it was made in %v", time.Since(began))
	began = time.Now()
	w.Warm(b.Context())
	b.Logf("the first look took %v", time.Since(began))
	at := func(path string, id string, more ...string) string {
		q := url.Values{"id": {id}, "source": {"files"}}
		for i := 0; i+1 < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return path + "?" + q.Encode()
	}
	first, last := w.ids[0], w.ids[len(w.ids)-1]
	for name, path := range map[string]string{
		"overview": "/", "timeline": "/timeline?set=many&host=host", "snapshot": at("/snapshot", last), "folders": at("/browse", first), "folder": at("/browse", first, "path", "folder-0500"),
		"file": at("/file", first, "path", "folder-0500/file-100.txt"), "versions": at("/versions", last, "path", "folder-0000/file-100.txt"), "search": "/search?q=file-299",
		"compare": "/compare?before=" + w.ids[len(w.ids)-2] + "&after=" + last, "restore": at("/restore", first), "jobs": "/jobs", "storage": "/storage", "drills": "/drills",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				answer := httptest.NewRecorder()
				w.ServeHTTP(answer, w.request(http.MethodGet, path, nil))
				if answer.Code != http.StatusOK {
					b.Fatalf("%s: %d: %s", path, answer.Code, answer.Body)
				}
			}
		})
	}
}

//go:build soak && linux

package pipeline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store/localdir"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/source"
)

// mostMemory is the peak resident set in MiB that a backup of any number of entries may take.
const mostMemory = 250

// The peak resident set of backups does not grow with the number of entries. SOAK_ENTRIES is the
// largest one, 20 million if it is not there.
func TestSoakMemoryOfBackupsDoesNotGrowWithEntries(t *testing.T) {
	debug.SetGCPercent(12) // as the program has it for heaps above 56 MiB
	most := 20_000_000 / stride
	if given, err := strconv.Atoi(os.Getenv("SOAK_ENTRIES")); err == nil {
		most = given
	}
	for _, entries := range []int{300_000, 2_000_000, most} {
		w := newManyWorld(t)
		for _, when := range []string{"first", "unchanged"} {
			resetPeak(t)
			began := time.Now()
			s, err := w.backup(manyFiles(entries))
			if err != nil || s.Sources[0].Coverage.Files != uint64(entries) {
				t.Fatal(s, err)
			}
			peak := peakMemory(t)
			t.Logf("%d files, %s: %d MiB, %v", entries, when, peak, time.Since(began).Round(time.Second))
			if peak > mostMemory {
				t.Errorf("%d files, %s: the peak is %d MiB, want at most %d", entries, when, peak, mostMemory)
			}
		}
	}
}

// manyWorld is a repository in a directory.
type manyWorld struct {
	store  *localdir.Store
	writer *crypto.WriterFile
	cache  string
}

func newManyWorld(t *testing.T) *manyWorld {
	store, err := localdir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := crypto.RecipientOf(identity)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := catalog.Init(t.Context(), store, signer(t, "owner"), signer(t, "host"), []age.Recipient{recipient}, nil, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &manyWorld{store, writer, t.TempDir()}
}

func (w *manyWorld) backup(s source.Source) (*catalog.Snapshot, error) {
	ctx := context.Background()
	repo, err := catalog.Open(ctx, w.store, catalog.Options{Keys: catalog.Keys{Writer: w.writer}, CacheDir: w.cache, Software: "test"})
	if err != nil {
		return nil, err
	}
	return backup.Run(ctx, repo, backup.Options{Set: "set", Host: "host", Jobs: []backup.Job{{
		Name: "many", Type: "fake", Location: "here", Open: func(context.Context) (source.Source, error) { return s, nil },
	}}})
}

// manyFiles is a source of so many files in folders of a thousand. Each has other content than all
// others.
type manyFiles int

func (n manyFiles) Class() source.Class                        { return source.ClassSmall }
func (n manyFiles) Detail(context.Context, *entry.Entry) error { return nil }
func (n manyFiles) Close() error                               { return nil }
func (n manyFiles) folder(i int) string                        { return fmt.Sprintf("%06d", i/1000) }
func (n manyFiles) content(number uint64) []byte {
	return bytes.Repeat(binary.BigEndian.AppendUint64(nil, number*0x9e3779b97f4a7c15), 4)
}

func (n manyFiles) Walk(ctx context.Context, v source.Visitor) error {
	for i := range int(n) {
		if i%1000 == 0 {
			if err := v.Visit(&entry.Entry{Path: n.folder(i), Type: entry.Directory, Mode: 0o755, ModTime: entry.NanoTime(1)}); err != nil {
				return err
			}
		}
		e := &entry.Entry{Path: fmt.Sprintf("%s/%03d", n.folder(i), i%1000), Type: entry.File, Mode: 0o644, Size: 32, ModTime: entry.NanoTime(int64(i + 1))}
		if err := v.Visit(e); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (n manyFiles) Open(_ context.Context, e *entry.Entry) (source.File, error) {
	number, err := strconv.ParseUint(strings.Replace(path.Clean(e.Path), "/", "", 1), 10, 64)
	return &manyFile{bytes.NewReader(n.content(number))}, err
}

type manyFile struct{ *bytes.Reader }

func (manyFile) Finish(*entry.Entry) error { return nil }
func (manyFile) Close() error              { return nil }

// resetPeak forgets the peak resident set of this process.
func resetPeak(t *testing.T) {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip(err)
	}
}

// peakMemory is the peak resident set in MiB.
func peakMemory(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kibibytes, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kibibytes >> 10
}

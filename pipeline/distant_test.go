package pipeline_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/source"
)

// distantSource is a source in memory that is as if far away: it counts what is open at once.
type distantSource struct {
	*fakeSource
	readers int
	open    atomic.Int32
	most    atomic.Int32
	opened  func(e *entry.Entry) // called by who has opened one
}

func (s *distantSource) Readers() int { return s.readers }

func (s *distantSource) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	f, err := s.fakeSource.Open(ctx, e)
	if err != nil {
		return nil, err
	}
	for now := s.open.Add(1); ; {
		most := s.most.Load()
		if now <= most || s.most.CompareAndSwap(most, now) {
			break
		}
	}
	if s.opened != nil {
		s.opened(e)
	}
	return &distantFile{File: f, source: s}, nil
}

type distantFile struct {
	source.File
	source *distantSource
}

func (f *distantFile) Close() error {
	f.source.open.Add(-1)
	return f.File.Close()
}

func (w *world) backupDistant(s *distantSource) {
	w.t.Helper()
	o := w.options()
	o.PackSize = 0
	o.Jobs = []backup.Job{{Name: "source0", Type: "fake", Location: "here", Open: func(context.Context) (source.Source, error) { return s, nil }}}
	if _, err := w.backup(w.store, o); err != nil {
		w.t.Fatalf("backup: %v", err)
	}
	w.same(0, s.fakeSource)
	w.check()
}

// TestADistantSourceIsReadByMoreReadersThanThereAreProcessors lets nobody read on before twelve are
// open, though one processor is to be used.
func TestADistantSourceIsReadByMoreReadersThanThereAreProcessors(t *testing.T) {
	const readers = 12
	w := newWorld(t)
	s := &distantSource{fakeSource: randomSource(40, 5000, 7), readers: readers}
	all := make(chan struct{})
	s.opened = func(*entry.Entry) {
		if s.most.Load() == readers {
			select {
			case <-all:
			default:
				close(all)
			}
		}
		select {
		case <-all:
		case <-time.After(time.Minute):
			t.Errorf("%d are read at once, want %d", s.most.Load(), readers)
		}
	}
	w.backupDistant(s)
	if most := s.most.Load(); most != readers {
		t.Errorf("%d were open at once, want %d", most, readers)
	}
}

// TestHugeFilesAreNotOpenedBeforeTheirTurn has more readers than huge files are cut at once.
func TestHugeFilesAreNotOpenedBeforeTheirTurn(t *testing.T) {
	w := newWorld(t)
	s := &distantSource{fakeSource: newSource(), readers: 8}
	for i := range 6 {
		s.add(fmt.Sprint("huge", i), randomBytes(17<<20, uint64(i)))
	}
	w.backupDistant(s)
	if most := s.most.Load(); most > 2 {
		t.Errorf("%d huge files were open at once, want at most 2", most)
	}
}

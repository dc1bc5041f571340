package archive

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/crypto"
)

// noisy writes one pack of n chunks of 1 MiB that do not compress.
func noisy(t *testing.T, b *bench, n int) *written {
	t.Helper()
	r := rand.New(rand.NewPCG(11, uint64(n)))
	contents := make([][]byte, n)
	for i := range contents {
		contents[i] = noise(r, 1<<20)
	}
	out := b.write(t, WriterOptions{PackSize: 32 << 20}, contents)
	if len(out.packs) != 1 {
		t.Fatalf("%d chunks lie in %d packs, want one", n, len(out.packs))
	}
	return out
}

func TestFetchAsksForNoMoreThanItNeeds(t *testing.T) {
	faulty := &storetest.Faulty{Store: memory.New()}
	b := newBench(t, faulty)
	out := noisy(t, b, 20)
	for _, c := range []struct {
		name string
		want []Chunk
		gets int
	}{
		{"the first chunk: header and data at once", out.chunks[:1], 1},
		{"a chunk far in: header and data beside each other", out.chunks[10:11], 2},
		{"neighbours: one range", out.chunks[:3], 1},
		{"two that lie apart", []Chunk{out.chunks[0], out.chunks[15]}, 2},
		{"all: windows of 4 MiB", out.chunks, 7},
	} {
		faulty.Reset()
		if err := b.reader().Fetch(t.Context(), out.packs[0].Pack, c.want, func(int, []byte) error { return nil }); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := faulty.Count(storetest.Get); got != c.gets {
			t.Errorf("%s: %d requests, want %d", c.name, got, c.gets)
		}
	}
	reader := b.reader()
	for range 2 {
		faulty.Reset()
		if _, err := reader.ReadChunk(t.Context(), out.chunks[10], nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := faulty.Count(storetest.Get); got != 1 {
		t.Errorf("a pack that was opened before: %d requests, want 1", got)
	}
}

func TestFetchEndsWithTheErrorOfItsCaller(t *testing.T) {
	b := newBench(t, memory.New())
	out := noisy(t, b, 20)
	enough, calls := errors.New("enough"), 0
	err := b.reader().Fetch(t.Context(), out.packs[0].Pack, out.chunks, func(int, []byte) error {
		if calls++; calls == 6 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || errors.Is(err, ErrDamaged) || calls != 6 {
		t.Errorf("got %v after %d calls, want the caller's error after 6", err, calls)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	b := newBench(t, memory.New())
	out := noisy(t, b, 20)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := b.reader().Fetch(ctx, out.packs[0].Pack, out.chunks, func(int, []byte) error {
		calls++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrDamaged) || calls == len(out.chunks) {
		t.Errorf("got %v after %d calls, want that the context has ended", err, calls)
	}
}

func TestStoreOutOfReachIsNotDamage(t *testing.T) {
	for n := 1; n <= 7; n++ {
		faulty := &storetest.Faulty{Store: memory.New()}
		b := newBench(t, faulty)
		out := noisy(t, b, 20)
		faulty.Before = storetest.On(storetest.From(n, store.ErrUnreachable), storetest.Get)
		err := b.reader().Fetch(t.Context(), out.packs[0].Pack, out.chunks, func(int, []byte) error { return nil })
		if !errors.Is(err, store.ErrUnreachable) || errors.Is(err, ErrDamaged) {
			t.Errorf("request %d fails: got %v, want ErrUnreachable", n, err)
		}
	}
}

func TestWhatIsLeftOfAPackCutShortComes(t *testing.T) {
	inner := memory.New()
	b := newBench(t, inner)
	out := noisy(t, b, 20)
	p := out.packs[0].Pack
	object, err := inner.Get(t.Context(), Data.Object(p.Name), 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 10, int(p.Header) + 5, 1 << 20, 9<<20 + 77, len(object) - 1} {
		came := 0
		reader := NewReader(&fixed{object[:size]}, b.identities, b.data, b.tree, ReaderOptions{})
		err := reader.Fetch(t.Context(), p, out.chunks, func(i int, data []byte) error {
			came++
			if !bytes.Equal(data, out.bytes[out.chunks[i].ID]) {
				t.Errorf("cut at %d: chunk %d has other bytes", size, i)
			}
			return nil
		})
		want := 0
		for _, c := range out.chunks {
			last := int64(c.Place.Frame+c.Place.Stored-1) / crypto.SegmentSize
			if int64(p.Header)+(last+1)*crypto.SealedSegment <= int64(size) {
				want++
			}
		}
		if want < len(out.chunks) && !errors.Is(err, ErrDamaged) || came != want {
			t.Errorf("cut at %d: %d chunks came, want %d; %v", size, came, want, err)
		}
	}
}

func TestOneChunkWantedTwiceComesTwice(t *testing.T) {
	b := newBench(t, memory.New())
	out := b.write(t, WriterOptions{}, [][]byte{[]byte("first"), []byte("second")})
	c := out.chunks[1]
	seen := make([]int, 3)
	err := b.reader().Fetch(t.Context(), c.Place.Pack, []Chunk{c, out.chunks[0], c}, func(i int, _ []byte) error {
		seen[i]++
		return nil
	})
	if err != nil || seen[0] != 1 || seen[1] != 1 || seen[2] != 1 {
		t.Errorf("got %v, %v; want each once", seen, err)
	}
}

func TestAPlaceThatIsWantedTwiceProvesNoOtherID(t *testing.T) {
	b := newBench(t, memory.New())
	out := b.write(t, WriterOptions{}, [][]byte{noise(rand.New(rand.NewPCG(3, 3)), 70_000)})
	same, other := out.chunks[0], out.chunks[0]
	other.ID[0] ^= 1
	came := map[int]int{}
	err := b.reader().Fetch(t.Context(), out.packs[0].Pack, []Chunk{same, other, same, other}, func(i int, data []byte) error {
		came[i] += len(data)
		return nil
	})
	if damaged := (*DamagedError)(nil); !errors.As(err, &damaged) || damaged.ID != other.ID {
		t.Errorf("got %v, want that chunk %s is damaged", err, other.ID)
	}
	if len(came) != 2 || came[0] != 70_000 || came[2] != 70_000 {
		t.Errorf("got bytes of %v, want 70000 of number 0 and 2", came)
	}
}

// spansOf divides what was written into spans of at most a megabyte.
func spansOf(t *testing.T, out *written) []*Span {
	t.Helper()
	spans, bad := Spans(out.packs[0].Pack, out.chunks, 1<<20)
	if len(bad) > 0 || len(spans) < 10 {
		t.Fatalf("%d spans and %d bad chunks, want at least ten spans", len(spans), len(bad))
	}
	return spans
}

func TestSpansAreNoLongerThanAskedForAndHoldEachChunkOnce(t *testing.T) {
	b := newBench(t, memory.New())
	out := b.write(t, WriterOptions{PackSize: 32 << 20}, mixture(5, 300))
	for _, most := range []int{1, 100 << 10, 1 << 20, 0} {
		spans, bad := Spans(out.packs[0].Pack, out.chunks, most)
		seen := make([]int, len(out.chunks))
		for _, s := range spans {
			for i := range s.Chunks() {
				seen[i]++
			}
			limit := int64(most)
			if most == 0 {
				limit = 4 << 20
			}
			if s.Size() > limit*crypto.SealedSegment/crypto.SegmentSize && len(s.frames) > 1 {
				t.Errorf("a span of several frames has %d bytes, want at most %d", s.Size(), limit)
			}
		}
		for i, n := range seen {
			if n != 1 {
				t.Errorf("chunk %d lies in %d spans of at most %d bytes", i, n, most)
			}
		}
		if len(bad) > 0 {
			t.Errorf("%d chunks have no place", len(bad))
		}
	}
}

func TestSpansLoadedAtOnceFetchTheHeaderOnce(t *testing.T) {
	faulty := &storetest.Faulty{Store: memory.New()}
	b := newBench(t, faulty)
	spans := spansOf(t, noisy(t, b, 20))
	faulty.Reset()
	reader := b.reader()
	for _, s := range spans {
		reader.Claim(s)
	}
	var g errgroup.Group
	for _, s := range slices.Backward(spans) {
		g.Go(func() error {
			loaded, err := reader.Load(t.Context(), s)
			if err == nil {
				loaded.Drop()
			}
			return err
		})
	}
	if err := g.Wait(); err != nil || faulty.Count(storetest.Get) != len(spans) {
		t.Errorf("%d requests for %d spans, %v; want one each", faulty.Count(storetest.Get), len(spans), err)
	}
}

func TestWhoWaitsForAHeaderFetchesItWhereNobodyElseDoes(t *testing.T) {
	for name, fails := range map[string]func(r *Reader, s *Span){
		"the span is forgone": func(r *Reader, s *Span) { r.Forgo(s, context.Canceled) },
		"its request is stopped": func(r *Reader, s *Span) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, _ = r.Load(ctx, s)
		},
	} {
		b := newBench(t, memory.New())
		spans := spansOf(t, noisy(t, b, 20))
		stopping := &ending{Store: b.store}
		reader := NewReader(stopping, b.identities, b.data, b.tree, ReaderOptions{})
		reader.Claim(spans[0])
		waits := make(chan error)
		go func() {
			loaded, err := reader.Load(t.Context(), spans[5])
			if err == nil {
				loaded.Drop()
			}
			waits <- err
		}()
		fails(reader, spans[0])
		if err := <-waits; err != nil {
			t.Errorf("%s: got %v, want that the other span is loaded", name, err)
		}
	}
}

// ending is a store that ends with its context, as one over a network does.
type ending struct{ store.Store }

func (e *ending) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return dst, ctx.Err()
	}
	return e.Store.Get(ctx, name, offset, length, dst)
}

func TestAWholePackComesByAnyNumberOfRequests(t *testing.T) {
	faulty := &storetest.Faulty{Store: memory.New()}
	b := newBench(t, faulty)
	p := noisy(t, b, 5).packs[0]
	for _, requests := range []int{1, 2, 7, int(p.Pack.Size) + 1} {
		faulty.Reset()
		whole, err := b.reader().LoadWhole(t.Context(), p.Pack, requests)
		if err != nil {
			t.Fatal(err)
		}
		problems, err := whole.Verify(t.Context(), p.Directory)
		if err != nil || len(problems) > 0 {
			t.Errorf("by %d requests: got %v, %v", requests, problems, err)
		}
		if got := faulty.Count(storetest.Get); got != requests && requests <= int(p.Pack.Size) {
			t.Errorf("%d requests, want %d", got, requests)
		}
	}
	longer, shorter := *p.Pack, *p.Pack
	longer.Size, shorter.Size = longer.Size+5, shorter.Size-5
	for _, wrong := range []*Pack{&longer, &shorter} {
		whole, err := b.reader().LoadWhole(t.Context(), wrong, 3)
		if err != nil {
			t.Fatal(err)
		}
		if problems, err := whole.Verify(t.Context(), p.Directory); err != nil || len(problems) == 0 {
			t.Errorf("a pack of %d bytes where %d are told: got %v, %v; want a problem", p.Pack.Size, wrong.Size, problems, err)
		}
	}
}

// Package fetch reads chunks of files and trees from a repository. It sorts the wanted chunks by
// pack and fetches them in spans of a few megabytes, several at once and each only once. If one
// copy of a chunk is damaged, it reads another. Chunks arrive in any order (Each), or in the
// readers' order and some way ahead of them (Ahead, InOrder, Files). Two numbers bound the work:
// requests in flight, which wait for the network, and workers, which decrypt, decompress and verify
// ids.
package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/crypto"
)

// Options bound the work. The zero value is ready for use.
type Options struct {
	// Connections limits the requests to the storage, and knows its speed. If nil, it is the
	// storage's own limiter. A storage without one counts as near: four spans wait for it, and
	// packs are fetched whole.
	Connections *inflight.Limiter
	Workers     int   // goroutines that open what was fetched; one for each processor, two at least, if 0
	Memory      int64 // bytes in flight, and as many that are held ahead of who reads in order; 64 MiB if 0
	// Warn is called with wrong places. It may be nil.
	Warn func(error)
}

const defaultMemory = 64 << 20

// MemoryWithin returns the Options.Memory of a process that is to keep below a limit, in bytes; 0
// means none. It is little of that, since what was fetched is there twice while it is opened.
func MemoryWithin(limit int64) int64 {
	if limit == 0 {
		return 0
	}
	return min(max(limit/8, 4<<20), defaultMemory)
}

func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = max(2, runtime.GOMAXPROCS(0))
	}
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

// Fetcher reads chunks of one domain wherever they are: at the place given, or where the index, or
// else a pack's own directory, says. It is safe for concurrent use.
type Fetcher struct {
	// IDs computes ids of data chunks; nil if the key is not at hand.
	IDs *crypto.IDKey

	o       Options
	reader  *archive.Reader
	places  []findPlaces // in the order in which they are asked
	workers slots

	mu   sync.Mutex
	lost map[archive.Name]error // packs that are missing, or that nothing opens
}

// New returns a Fetcher for chunks of a domain. It loads the index when that is first needed, and
// reads the packs' own directories if that does not help.
func New(repo *catalog.Repository, domain uint64, o Options) (*Fetcher, error) {
	reader, err := repo.Reader(domain)
	if err != nil {
		return nil, err
	}
	secret, err := repo.Domain(domain)
	if err != nil {
		return nil, err
	}
	if o.Connections == nil {
		o.Connections = inflight.Of(repo.Store)
	}
	f := Of(reader, o)
	f.IDs = secret.DataID()
	f.places = []findPlaces{
		onceLoaded(func(ctx context.Context) (*index.Index, error) { return readIndex(ctx, repo) }),
		onceLoaded(func(ctx context.Context) (*index.Index, error) { return readDirectories(ctx, repo, reader) }),
	}
	return f, nil
}

// Of returns a Fetcher that looks for chunks only at the places given.
func Of(reader *archive.Reader, o Options) *Fetcher {
	o = o.withDefaults()
	return &Fetcher{o: o, reader: reader, lost: map[archive.Name]error{}, workers: make(slots, o.Workers)}
}

// Missing is a chunk that could not be read from any place.
type Missing struct {
	Index int // in the list of what was wanted
	Err   error
}

// Each reads chunks of any packs, in any order. It calls each with the index and the bytes of every
// chunk that it can read, from several goroutines at once, and returns the others. For a hole the
// bytes are nil. They are valid until each returns; each must not change them, and must not fetch
// anything. An error is one of each or of ctx, or says that the storage cannot be reached.
func (f *Fetcher) Each(ctx context.Context, want []archive.Chunk, each func(i int, data []byte) error) ([]Missing, error) {
	return f.pieces(ctx, want, each, func(at []int, piece *archive.Piece) error {
		for _, k := range piece.Chunks {
			if err := each(at[k], piece.Data(k)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Frames is Each for callers that can use whole frames. It passes chunks read from their places to
// frame, all wanted chunks of a frame at once: at gives the index in want for each chunk wanted of
// the pack. It passes chunks read from elsewhere to each. The piece is valid until frame returns.
func (f *Fetcher) Frames(ctx context.Context, want []archive.Chunk, frame func(at []int, piece *archive.Piece) error, each func(i int, data []byte) error) ([]Missing, error) {
	return f.pieces(ctx, want, each, frame)
}

// pieces reads what is wanted: it passes frames to take, and holes and chunks from elsewhere to
// each.
func (f *Fetcher) pieces(ctx context.Context, want []archive.Chunk, each func(i int, data []byte) error, take takePiece) ([]Missing, error) {
	for i := range want {
		if want[i].IsHole() {
			if err := each(i, nil); err != nil {
				return nil, err
			}
		}
	}
	var mu sync.Mutex
	var missing []Missing
	var under crew
	g, gctx := errgroup.WithContext(ctx)
	for part := range f.parts(want) {
		under.enter(f.atOnce)
		if gctx.Err() != nil {
			break
		}
		f.claim(part.span)
		g.Go(func() error {
			defer under.leave()
			lacking, err := f.part(gctx, part, each, take)
			mu.Lock()
			defer mu.Unlock()
			missing = append(missing, lacking...)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(missing, func(a, b Missing) int { return cmp.Compare(a.Index, b.Index) })
	return missing, context.Cause(ctx)
}

// takePiece receives the wanted content of a frame. at gives, for each chunk wanted of the pack,
// its index in all that is wanted.
type takePiece func(at []int, piece *archive.Piece) error

// part is what one request fetches of what Each was asked for.
type part struct {
	span  *archive.Span // nil where there is nothing to ask for
	at    []int         // for each chunk that is wanted of the span's pack, its number in all that is wanted
	wrong []Missing     // by the same number: what cannot lie where it should
	want  []archive.Chunk
}

// parts groups chunks by pack, in the order in which packs are first needed, and yields the spans
// of each pack.
func (f *Fetcher) parts(want []archive.Chunk) iter.Seq[part] {
	byPack := map[archive.Name][]int{}
	var order []archive.Name
	for i := range want {
		if want[i].IsHole() {
			continue
		}
		name := packName(&want[i])
		if byPack[name] == nil {
			order = append(order, name)
		}
		byPack[name] = append(byPack[name], i)
	}
	return func(yield func(part) bool) {
		for _, name := range order {
			for _, p := range f.partsOf(want, byPack[name]) {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// partsOf divides the chunks of one pack, given by their indexes, into parts.
func (f *Fetcher) partsOf(want []archive.Chunk, at []int) (parts []part) {
	chunks := make([]archive.Chunk, len(at))
	for k, i := range at {
		chunks[k] = want[i]
	}
	spans, wrong := f.spans(chunks)
	for _, s := range spans {
		parts = append(parts, part{span: s, at: at, want: chunks})
	}
	if len(wrong) > 0 {
		parts = append(parts, part{at: at, want: chunks, wrong: wrong})
	}
	return parts
}

// packName returns the name of a chunk's pack, zero if the chunk has no place.
func packName(c *archive.Chunk) (name archive.Name) {
	if c.Place.Pack != nil {
		name = c.Place.Pack.Name
	}
	return name
}

// spans divides chunks of one pack into spans.
func (f *Fetcher) spans(chunks []archive.Chunk) ([]*archive.Span, []Missing) {
	pack := chunks[0].Place.Pack
	if pack == nil {
		wrong := make([]Missing, len(chunks))
		for i := range wrong {
			wrong[i] = Missing{i, errNoPlace}
		}
		return nil, wrong
	}
	spans, bad := archive.Spans(pack, chunks, f.spanBytes())
	return spans, lackingOf(bad)
}

var errNoPlace = fmt.Errorf("no place is told: %w", archive.ErrDamaged)

func lackingOf(bad []archive.Bad) []Missing {
	all := make([]Missing, len(bad))
	for k, b := range bad {
		all[k] = Missing{b.Index, b.Err}
	}
	return all
}

// part reads the content of one part, from wherever it is.
func (f *Fetcher) part(ctx context.Context, p part, each func(i int, data []byte) error, take takePiece) (missing []Missing, err error) {
	lack := p.wrong
	if p.span != nil {
		lack, err = f.span(ctx, p.span, func(piece *archive.Piece) error {
			defer piece.Free()
			return take(p.at, piece)
		})
	}
	if err != nil {
		return nil, err
	}
	for _, m := range lack {
		data, err := f.elsewhere(ctx, &p.want[m.Index], m.Err)
		switch {
		case ends(ctx, err):
			return nil, err
		case err != nil:
			missing = append(missing, Missing{p.at[m.Index], err})
			continue
		}
		if err := each(p.at[m.Index], data); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// span fetches and opens a span, and returns the chunks that it could not read. An error is one of
// take, or ends everything.
func (f *Fetcher) span(ctx context.Context, s *archive.Span, take func(*archive.Piece) error) ([]Missing, error) {
	loaded, err := f.load(ctx, s)
	if ends(ctx, err) {
		return nil, err
	}
	if err != nil {
		return allOf(s, err), nil
	}
	if err := f.workers.take(ctx); err != nil {
		loaded.Drop()
		return nil, err
	}
	defer f.workers.give()
	bad, err := loaded.Open(ctx, take)
	if len(bad) > 0 {
		f.o.Warn(joined(bad))
	}
	return lackingOf(bad), err
}

// claim makes a span fetch the header of its pack, unless another span does. The caller fetches it
// next.
func (f *Fetcher) claim(s *archive.Span) {
	if s != nil {
		f.reader.Claim(s)
	}
}

func (f *Fetcher) load(ctx context.Context, s *archive.Span) (*archive.Loaded, error) {
	if err := f.lostPack(s.Pack.Name); err != nil {
		f.reader.Forgo(s, err)
		return nil, err
	}
	loaded, err := f.reader.Load(ctx, s)
	if err != nil && !ends(ctx, err) {
		f.lose(s.Pack.Name, err)
	}
	return loaded, err
}

// ends reports whether an error affects more than the span that was fetched.
func ends(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, store.ErrUnreachable) || errors.Is(err, store.ErrArchived))
}

// lose records a pack that cannot be read at all, and warns of it the first time.
func (f *Fetcher) lose(name archive.Name, err error) {
	f.mu.Lock()
	_, known := f.lost[name]
	if errors.Is(err, archive.ErrDamaged) {
		f.lost[name] = err
	}
	f.mu.Unlock()
	if !known {
		f.o.Warn(err)
	}
}

func (f *Fetcher) lostPack(name archive.Name) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost[name]
}

func allOf(s *archive.Span, err error) (all []Missing) {
	for i := range s.Chunks() {
		all = append(all, Missing{i, err})
	}
	return all
}

func joined(bad []archive.Bad) error {
	all := make([]error, len(bad))
	for i, b := range bad {
		all[i] = b.Err
	}
	return errors.Join(all...)
}

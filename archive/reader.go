package archive

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"runtime"
	"sync"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// ReaderOptions configure a Reader.
type ReaderOptions struct {
	// Header returns a detached header (with its nonce) of a pack, for identities that cannot open
	// the pack's own header. If there is none, it is nil or returns an error that matches
	// store.ErrNotExist.
	Header func(context.Context, Kind, Name) ([]byte, error)
	// Openers is how many opened headers the Reader keeps in memory; 512 if 0.
	Openers int
}

// Reader reads packs. It is safe for concurrent use. Each loaded span holds the bytes that it has
// fetched, and while it is opened also the content of one frame.
type Reader struct {
	store      store.Store
	identities []age.Identity
	data, tree *crypto.IDKey
	o          ReaderOptions
	decoder    *zstd.Decoder

	mu      sync.Mutex
	headers map[Name]*header
	recent  *list.List // of the names of headers that are open, the last used first
}

// NewReader makes a reader of the packs in s. Without identities it can only verify hashes. data
// and tree are the keys of chunk ids; either may be nil if chunks of that kind are not read.
func NewReader(s store.Store, identities []age.Identity, data, tree *crypto.IDKey, o ReaderOptions) *Reader {
	if o.Openers <= 0 {
		o.Openers = 512
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxChunk), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(fmt.Sprintf("make a decoder: %v", err))
	}
	return &Reader{
		store: s, identities: identities, data: data, tree: tree, o: o, decoder: decoder,
		headers: make(map[Name]*header), recent: list.New(),
	}
}

// key returns the key of a kind's ids.
func (r *Reader) key(kind Kind) (*crypto.IDKey, error) {
	key := r.data
	if kind == Trees {
		key = r.tree
	}
	if key == nil || kind.code() == 0 {
		return nil, fmt.Errorf("read pack: no key for ids in %q", kind)
	}
	return key, nil
}

// ListPacks yields name, kind and stored size of all packs in a store.
func ListPacks(ctx context.Context, s store.Store) iter.Seq2[*Pack, error] {
	return func(yield func(*Pack, error) bool) {
		for pack, err := range packsIn(ctx, s, "") {
			if err != nil {
				err = fmt.Errorf("list packs: %w", err)
			}
			if !yield(pack, err) {
				return
			}
		}
	}
}

// FindPacks returns the packs whose names begin with prefix, of which it lists no others. The prefix
// is at least two hex digits in lower case.
func FindPacks(ctx context.Context, s store.Store, prefix string) (found []*Pack, err error) {
	for pack, err := range packsIn(ctx, s, prefix[:2]+"/"+prefix) {
		if err != nil {
			return nil, err
		}
		found = append(found, pack)
	}
	return found, nil
}

// packsIn yields the packs whose objects begin so, after their kind. An error is the last.
func packsIn(ctx context.Context, s store.Store, begin string) iter.Seq2[*Pack, error] {
	return func(yield func(*Pack, error) bool) {
		for _, kind := range []Kind{Data, Trees} {
			for info, err := range s.List(ctx, string(kind)+"/"+begin, "") {
				if err != nil {
					yield(nil, err)
					return
				}
				name, err := ParseName(info.Name[max(0, len(info.Name)-64):])
				size := uint32(min(info.Size, math.MaxUint32)) // no pack is as large, and none may seem to be
				if err == nil && kind.Object(name) == info.Name && !yield(&Pack{Name: name, Kind: kind, Size: size}, nil) {
					return
				}
			}
		}
	}
}

// Pack completes what is known of a pack of which only name and stored size are known, such as from
// a listing. It fetches the pack's header.
func (r *Reader) Pack(ctx context.Context, kind Kind, name Name, size int64) (*Pack, error) {
	if size > MaxPack {
		return nil, &DamagedError{Kind: kind, Pack: name, Err: fmt.Errorf("it has %d bytes", size)}
	}
	// Two hybrid recipients need 3.2 KB.
	for length := int64(4 << 10); ; length = maxHeader {
		start, err := r.store.Get(ctx, kind.Object(name), 0, length, nil)
		if err != nil {
			return nil, r.fetchError(kind, name, err)
		}
		header, err := crypto.HeaderLength(start)
		if errors.Is(err, io.ErrUnexpectedEOF) && length < maxHeader {
			continue
		}
		if err != nil {
			return nil, &DamagedError{Kind: kind, Pack: name, Err: err}
		}
		pack := &Pack{Name: name, Kind: kind, Size: uint32(size), Header: uint32(header)}
		if _, err := pack.plain(); err != nil {
			return nil, &DamagedError{Kind: kind, Pack: name, Err: err}
		}
		return pack, nil
	}
}

// fetchError wraps an error of the store: a missing object is damage, an unreachable store is not.
func (r *Reader) fetchError(kind Kind, name Name, err error) error {
	if errors.Is(err, store.ErrNotExist) {
		return &DamagedError{Kind: kind, Pack: name, Err: err}
	}
	return fmt.Errorf("fetch pack %s: %w", kind.Object(name), err)
}

// header is the header of a pack: opened, or being fetched by one caller.
type header struct {
	done    chan struct{} // closed when opener and err are known
	opener  *crypto.Opener
	err     error
	element *list.Element // in recent; nil while it is being fetched
}

// claim returns the header of a pack, and whether the caller is the first to ask for it. If so, the
// caller must call settle.
func (r *Reader) claim(name Name) (h *header, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h = r.headers[name]
	if h == nil {
		h = &header{done: make(chan struct{})}
		r.headers[name] = h
		return h, true
	}
	if h.element != nil {
		r.recent.MoveToFront(h.element)
	}
	return h, false
}

// settle gives the result to all who wait for a header, and returns the error. A failed header is
// forgotten, so that the next caller tries again.
func (r *Reader) settle(h *header, p *Pack, opener *crypto.Opener, err error) error {
	h.opener, h.err = opener, err
	close(h.done)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		delete(r.headers, p.Name)
		return err
	}
	h.element = r.recent.PushFront(p.Name)
	if r.recent.Len() > r.o.Openers {
		last := r.recent.Back()
		delete(r.headers, last.Value.(Name))
		r.recent.Remove(last)
	}
	return nil
}

// await waits for a header that another caller fetches. If that caller is cancelled, await fetches
// the header itself.
func (r *Reader) await(ctx context.Context, p *Pack, h *header) (*crypto.Opener, error) {
	select {
	case <-h.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if h.err == nil || ctx.Err() != nil || !isEnd(h.err) {
		return h.opener, h.err
	}
	return r.opener(ctx, p)
}

func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// opener returns the Opener of a pack. It fetches the header if that is not known.
func (r *Reader) opener(ctx context.Context, p *Pack) (*crypto.Opener, error) {
	h, first := r.claim(p.Name)
	if !first {
		return r.await(ctx, p, h)
	}
	opener, err := r.fetchHeader(ctx, p)
	return opener, r.settle(h, p, opener, err)
}

func (r *Reader) fetchHeader(ctx context.Context, p *Pack) (*crypto.Opener, error) {
	header, err := r.get(ctx, p, 0, int64(p.Header), nil)
	if err != nil {
		return nil, err
	}
	return r.open(ctx, p, header)
}

// open opens a pack whose header (with the nonce) is given.
func (r *Reader) open(ctx context.Context, p *Pack, header []byte) (*crypto.Opener, error) {
	length, err := crypto.HeaderLength(header)
	if err != nil || length != len(header) {
		return nil, &DamagedError{Kind: p.Kind, Pack: p.Name, Err: fmt.Errorf("%d bytes are no header", len(header))}
	}
	opener, err := crypto.OpenHeader(header, r.identities...)
	if errors.Is(err, crypto.ErrWrongIdentity) && r.o.Header != nil {
		opener, err = r.openDetached(ctx, p, err)
	}
	if errors.Is(err, crypto.ErrDamaged) {
		return nil, &DamagedError{Kind: p.Kind, Pack: p.Name, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open pack %s: %w", p.Kind.Object(p.Name), err)
	}
	return opener, nil
}

// openDetached opens a pack by its detached header. refused is the error of the pack's own header.
func (r *Reader) openDetached(ctx context.Context, p *Pack, refused error) (*crypto.Opener, error) {
	header, err := r.o.Header(ctx, p.Kind, p.Name)
	if errors.Is(err, store.ErrNotExist) || err == nil && header == nil {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("detached header: %w", err)
	}
	return crypto.OpenHeader(header, r.identities...)
}

// get appends a range of a pack's stored bytes to dst. A short range is damage.
func (r *Reader) get(ctx context.Context, p *Pack, from, to int64, dst []byte) ([]byte, error) {
	to = min(to, int64(p.Size))
	out, err := r.store.Get(ctx, p.Kind.Object(p.Name), from, to-from, dst)
	if err != nil {
		return dst, r.fetchError(p.Kind, p.Name, err)
	}
	if got := int64(len(out) - len(dst)); got != to-from {
		return dst, &DamagedError{Kind: p.Kind, Pack: p.Name, Err: fmt.Errorf("%d bytes at %d where %d should be", got, from, to-from)}
	}
	return out, nil
}

// Directory reads the directory of a pack from the pack itself.
func (r *Reader) Directory(ctx context.Context, p *Pack) (*Directory, error) {
	plain, err := p.plain()
	if err != nil {
		return nil, &DamagedError{Kind: p.Kind, Pack: p.Name, Err: err}
	}
	opener, err := r.opener(ctx, p)
	if err != nil {
		return nil, err
	}
	// Two segments hold a directory of 1,800 chunks at least, which is nearly every one.
	for want := int64(crypto.SegmentSize + 1); ; {
		tail, err := r.tail(ctx, p, opener, plain, min(want, plain))
		if err != nil {
			return nil, err
		}
		size, err := tailSize(tail, p.Kind)
		if err == nil && int64(size) > want && int64(size) <= plain {
			want = int64(size)
			continue
		}
		var d *Directory
		if err == nil {
			d, err = ParseDirectory(tail, p.Kind)
		}
		if err == nil {
			err = d.fits(plain)
		}
		if err != nil {
			return nil, &DamagedError{Kind: p.Kind, Pack: p.Name, Err: err}
		}
		return d, nil
	}
}

// tail returns at least the last n bytes of the pack's plaintext.
func (r *Reader) tail(ctx context.Context, p *Pack, opener *crypto.Opener, plain, n int64) ([]byte, error) {
	first, from, to := crypto.SealedRange(int(p.Header), plain-n, n)
	sealed, err := r.get(ctx, p, from, to, nil)
	if err != nil {
		return nil, err
	}
	tail, err := opener.OpenSegments(nil, sealed, first, crypto.SegmentCount(plain))
	if err != nil {
		return nil, &DamagedError{Kind: p.Kind, Pack: p.Name, Err: err}
	}
	return tail, nil
}

// ReadChunk appends one chunk to dst.
func (r *Reader) ReadChunk(ctx context.Context, c Chunk, dst []byte) ([]byte, error) {
	out := dst
	err := r.Fetch(ctx, c.Place.Pack, []Chunk{c}, func(_ int, data []byte) error {
		out = append(out, data...)
		return nil
	})
	return out, err
}

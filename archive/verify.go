package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/crypto"
)

// Whole is a pack with all its stored bytes in memory.
type Whole struct {
	reader *Reader
	pack   *Pack
	buffer []byte
	object []byte // in buffer
}

// LoadWhole reads all stored bytes of a pack, with this many requests at once. A *DamagedError says
// that the pack is missing, or larger than any pack is. The caller must call Verify or Drop.
func (r *Reader) LoadWhole(ctx context.Context, p *Pack, requests int) (*Whole, error) {
	if p.Size > MaxPack {
		return nil, &DamagedError{Kind: p.Kind, Pack: p.Name, Err: fmt.Errorf("it has %d bytes, and no pack has more than %d", p.Size, MaxPack)}
	}
	buffer, err := buffers.take(bufferSize(max(defaultPack, int64(p.Size))))
	if err != nil {
		return nil, err
	}
	w := &Whole{reader: r, pack: p, buffer: buffer}
	w.object, err = r.whole(ctx, p, int64(max(1, requests)), buffer)
	if err != nil {
		w.Drop()
		return nil, r.fetchError(p.Kind, p.Name, err)
	}
	return w, nil
}

// whole fetches an object into buffer with several requests at once. The last one also asks for
// bytes beyond the expected size.
func (r *Reader) whole(ctx context.Context, p *Pack, requests int64, buffer []byte) ([]byte, error) {
	name, size := p.Kind.Object(p.Name), int64(p.Size)/requests
	if requests == 1 || size == 0 {
		return r.store.Get(ctx, name, 0, -1, buffer[:0])
	}
	parts := make([][]byte, requests)
	g, gctx := errgroup.WithContext(ctx)
	for i := range requests {
		g.Go(func() (err error) {
			from, length, place := i*size, size, buffer[i*size:i*size:(i+1)*size]
			if i == requests-1 {
				length, place = -1, buffer[from:from]
			}
			parts[i], err = r.store.Get(gctx, name, from, length, place)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	object := buffer[:0]
	for _, part := range parts {
		object = append(object, part...)
	}
	return object, nil
}

// Drop frees the memory.
func (w *Whole) Drop() {
	buffers.put(w.buffer)
	w.buffer, w.object = nil, nil
}

// Verify checks every byte of the pack and then drops it. It checks that the hash of the bytes is
// the pack's name. If the reader has identities, it also checks that every segment opens, that the
// pack's directory is readable and equal to directory (unless that is nil), that every frame
// decompresses, and that every chunk has its id. It returns the damage that it found; an error
// means that it could not check.
func (w *Whole) Verify(ctx context.Context, directory *Directory) ([]*DamagedError, error) {
	defer w.Drop()
	v := &verification{reader: w.reader, pack: w.pack}
	if Name(sha256.Sum256(w.object)) != w.pack.Name {
		v.wrong(ID{}, fmt.Errorf("its %d bytes do not have this hash", len(w.object)))
	}
	if len(w.reader.identities) == 0 {
		return v.problems, nil
	}
	return v.problems, v.contents(ctx, w.object, directory)
}

type verification struct {
	reader   *Reader
	pack     *Pack
	problems []*DamagedError
}

func (v *verification) wrong(id ID, err error) {
	v.problems = append(v.problems, &DamagedError{Kind: v.pack.Kind, Pack: v.pack.Name, ID: id, Err: err})
}

// contents checks the content of a pack. It overwrites object.
func (v *verification) contents(ctx context.Context, object []byte, known *Directory) error {
	p := *v.pack
	if p.Size == 0 {
		p.Size = uint32(len(object))
	}
	header, err := crypto.HeaderLength(object)
	if p.Header == 0 {
		p.Header = uint32(header)
	}
	if err != nil || header != int(p.Header) || len(object) != int(p.Size) {
		v.wrong(ID{}, fmt.Errorf("%d bytes with a header of %d where %d and %d should be", len(object), header, p.Size, p.Header))
		return nil
	}
	opener, err := v.reader.open(ctx, &p, object[:header])
	if damaged := (*DamagedError)(nil); errors.As(err, &damaged) {
		v.problems = append(v.problems, damaged)
		return nil
	}
	if err != nil {
		return err
	}
	size, err := p.plain()
	if err != nil {
		v.wrong(ID{}, err)
		return nil
	}
	plain := v.openAll(opener, object[header:], size)
	if directory := v.directory(plain, known); directory != nil {
		return v.chunks(ctx, &p, directory, plain)
	}
	return nil
}

// openAll decrypts the payload in place and closes the gaps between the segments. It fills segments
// that do not open with zeros.
func (v *verification) openAll(opener *crypto.Opener, payload []byte, size int64) []byte {
	plain, count := payload[:0], crypto.SegmentCount(size)
	for index := uint64(0); len(payload) > 0; index++ {
		n := min(len(payload), crypto.SealedSegment)
		segment, err := opener.OpenSegment(payload[:0], payload[:n], index, index+1 == count)
		if err != nil {
			v.wrong(ID{}, err)
			segment = payload[:max(0, n-crypto.SegmentOverhead)]
			clear(segment)
		}
		plain, payload = append(plain, segment...), payload[n:]
	}
	return plain
}

// directory reads the pack's own directory, compares it with the known one, and returns one of them
// for the checks that follow.
func (v *verification) directory(plain []byte, known *Directory) *Directory {
	own, err := ParseDirectory(plain, v.pack.Kind)
	if err == nil {
		err = own.fits(int64(len(plain)))
	}
	if err != nil {
		v.wrong(ID{}, err)
		return known
	}
	if known != nil && !own.Equal(known) {
		v.wrong(ID{}, ErrOtherDirectory)
		v.missing(own, known)
	}
	return own
}

// missing records the chunks that known lists and the pack's own directory does not.
func (v *verification) missing(own, known *Directory) {
	there := map[ID]bool{}
	for _, id := range own.IDs {
		there[id] = true
	}
	for _, id := range known.IDs {
		if !there[id] {
			v.wrong(id, ErrOtherDirectory)
		}
	}
}

// chunks checks every frame and every chunk that the directory lists.
func (v *verification) chunks(ctx context.Context, p *Pack, d *Directory, plain []byte) error {
	key, err := v.reader.key(p.Kind)
	if err != nil {
		return err
	}
	raw := borrowScratch()
	defer giveBack(raw)
	ordinal, offset := 0, int64(0)
	for _, f := range d.Frames {
		if ctx.Err() != nil {
			return fmt.Errorf("verify pack %s: %w", p.Kind.Object(p.Name), context.Cause(ctx))
		}
		next := ordinal + int(f.Chunks)
		v.frame(key, raw, plain, offset, int64(f.Stored), d.IDs[ordinal:next], d.Lengths[ordinal:next])
		ordinal, offset = next, offset+int64(f.Stored)
	}
	return nil
}

// frame checks that a frame holds these chunks and nothing else.
func (v *verification) frame(key *crypto.IDKey, raw *[]byte, plain []byte, offset, stored int64, ids []ID, lengths []uint32) {
	err := errCutShort
	if offset+stored <= int64(len(plain)) {
		err = v.reader.decompress(raw, plain[offset:offset+stored])
	}
	rest := *raw
	for i, id := range ids {
		switch {
		case err != nil:
			v.wrong(id, err)
		case int(lengths[i]) > len(rest):
			v.wrong(id, fmt.Errorf("%d bytes are left of its frame, and it has %d", len(rest), lengths[i]))
		case key.Sum(rest[:lengths[i]]) != id:
			v.wrong(id, ErrWrongID)
		}
		rest = rest[min(int(lengths[i]), len(rest)):]
	}
	if err == nil && len(rest) > 0 {
		v.wrong(ID{}, fmt.Errorf("the frame at %d holds %d bytes more than its chunks", offset, len(rest)))
	}
}

package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// Compact compresses and pads the content of an object that is sealed as a whole, so that the
// sealed size reveals little about the content's size.
func Compact(content []byte) []byte {
	e := encoder(LevelDefault)
	if len(content) > MaxChunk {
		e = longEncoder()
	}
	out := e.EncodeAll(content, nil)
	size := int64(len(out)) + skipHead
	padding := Padme(size, 0) - size
	out = binary.LittleEndian.AppendUint32(out, skipMagic)
	out = binary.LittleEndian.AppendUint32(out, uint32(padding))
	return append(out, make([]byte, padding)...)
}

// Expand returns the content that was passed to Compact, or an error if it has more than limit
// bytes (limit 0: the limit of the format).
func Expand(compact []byte, limit int) ([]byte, error) {
	if limit <= 0 || limit > maxContent {
		limit = maxContent
	}
	size, err := contentSize(compact)
	if err != nil {
		return nil, fmt.Errorf("expand: %w", err)
	}
	if size > uint64(limit) {
		return nil, fmt.Errorf("expand: %d bytes where %d are the most: %w", size, limit, ErrDamaged)
	}
	// A block of four bytes stands for at most 128 KiB: refuse a frame that claims more than its
	// bytes can hold.
	if size/(128<<10/4) > uint64(len(compact)) {
		return nil, fmt.Errorf("expand: %d bytes from %d: %w", size, len(compact), ErrDamaged)
	}
	content, err := contentDecoder().DecodeAll(compact, make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("expand: %w: %w", ErrDamaged, err)
	}
	if uint64(len(content)) != size {
		return nil, fmt.Errorf("expand: %d bytes where %d were announced: %w", len(content), size, ErrDamaged)
	}
	return content, nil
}

// contentDecoder decodes objects that are sealed as a whole. It is safe for concurrent use.
var contentDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxContent), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(fmt.Sprintf("make a decoder: %v", err))
	}
	return d
})

// contentSize reads the content size from a zstd frame's header.
func contentSize(frame []byte) (uint64, error) {
	var header zstd.Header
	if err := header.Decode(frame); err != nil {
		return 0, fmt.Errorf("frame header: %w: %w", ErrDamaged, err)
	}
	if header.Skippable || !header.HasFCS {
		return 0, fmt.Errorf("frame without a content size: %w", ErrDamaged)
	}
	return header.FrameContentSize, nil
}

// PutContent stores data as a content object of kind k and returns its name. It succeeds if the
// object exists already, since that has the same bytes.
func PutContent(ctx context.Context, s store.Store, k Kind, data []byte) (Name, error) {
	name := Name(sha256.Sum256(data))
	err := s.Put(ctx, k.Object(name), data, name)
	if err != nil && !errors.Is(err, store.ErrExist) {
		return Name{}, fmt.Errorf("store %s: %w", k.Object(name), err)
	}
	return name, nil
}

// GetContent fetches a content object and checks its bytes against its name. It fails with
// ErrDamaged if they do not match.
func GetContent(ctx context.Context, s store.Store, k Kind, name Name) ([]byte, error) {
	data, err := s.Get(ctx, k.Object(name), 0, -1, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", k.Object(name), err)
	}
	if sha256.Sum256(data) != name {
		return nil, fmt.Errorf("fetch %s: its bytes do not have this hash: %w", k.Object(name), ErrDamaged)
	}
	return data, nil
}

// PutSealed compacts, seals and stores content, and returns the object's name and size.
func PutSealed(ctx context.Context, s store.Store, k Kind, content []byte, recipients ...age.Recipient) (Name, int, error) {
	sealed, err := crypto.Seal(nil, Compact(content), recipients...)
	if err != nil {
		return Name{}, 0, fmt.Errorf("store %s object: %w", k, err)
	}
	name, err := PutContent(ctx, s, k, sealed)
	return name, len(sealed), err
}

// OpenSealed returns the content of an object that PutSealed stored. It fails with ErrDamaged if
// the bytes are not those that were sealed or the content has more than limit bytes (limit 0: the
// limit of the format), and with crypto.ErrWrongIdentity if no identity matches.
func OpenSealed(sealed []byte, limit int, identities ...age.Identity) ([]byte, error) {
	compact, err := crypto.Open(nil, sealed, identities...)
	if errors.Is(err, crypto.ErrDamaged) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	return Expand(compact, limit)
}

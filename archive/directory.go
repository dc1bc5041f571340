package archive

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

// The limits of the format; see section 11 of FORMAT.md.
const (
	MaxChunk      = 16 << 20  // bytes of a chunk, and of a decompressed frame
	MaxChunks     = 1 << 20   // chunks in a pack
	MaxPack       = 136 << 20 // bytes of a pack as stored
	maxHeader     = 64 << 10  // bytes of age header and nonce
	maxContent    = 256 << 20 // bytes in a sealed object, before compression
	packFloor     = 16 << 10
	directoryHead = 12
	perFrame      = 8
	perChunk      = 4 + 32
	trailerSize   = 16
	skipHead      = 8 // magic and length of a skippable frame
	version1      = 1
	trailerMagic  = "packdir\n"
	skipMagic     = 0x184D2A5B
)

// Frame is one compressed frame of a pack.
type Frame struct {
	Stored uint32 // bytes as stored
	Chunks uint32 // number of chunks in it
}

// Directory lists the content of a pack: its frames in the order of their offsets, and the chunks
// of all frames in the order of their ordinals. Nobody changes a Directory after it is published.
type Directory struct {
	Frames  []Frame
	Lengths []uint32 // bytes of each chunk before compression
	IDs     []ID
}

// Len returns the number of chunks.
func (d *Directory) Len() int { return len(d.IDs) }

// Raw returns the number of bytes of all chunks before compression.
func (d *Directory) Raw() (n int64) {
	for _, length := range d.Lengths {
		n += int64(length)
	}
	return n
}

// Stored returns the number of bytes of all frames.
func (d *Directory) Stored() (n int64) {
	for _, f := range d.Frames {
		n += int64(f.Stored)
	}
	return n
}

// All yields the chunks with their places in the pack p, by ordinal.
func (d *Directory) All(p *Pack) iter.Seq[Chunk] {
	return func(yield func(Chunk) bool) {
		ordinal, offset := uint32(0), uint32(0)
		for _, f := range d.Frames {
			start := uint32(0)
			for range f.Chunks {
				place := Place{Pack: p, Ordinal: ordinal, Frame: offset, Stored: f.Stored, Start: start}
				if !yield(Chunk{ID: d.IDs[ordinal], Length: d.Lengths[ordinal], Place: place}) {
					return
				}
				start += d.Lengths[ordinal]
				ordinal++
			}
			offset += f.Stored
		}
	}
}

// Equal reports whether two directories have the same content.
func (d *Directory) Equal(other *Directory) bool {
	return slices.Equal(d.Frames, other.Frames) && slices.Equal(d.Lengths, other.Lengths) && slices.Equal(d.IDs, other.IDs)
}

// clone returns a copy without spare capacity.
func (d *Directory) clone() *Directory {
	return &Directory{Frames: slices.Clone(d.Frames), Lengths: slices.Clone(d.Lengths), IDs: slices.Clone(d.IDs)}
}

// directorySize returns the encoded size of a directory.
func directorySize(frames, chunks int) int { return directoryHead + perFrame*frames + perChunk*chunks }

// Append appends the encoded directory to dst.
func (d *Directory) Append(dst []byte) []byte {
	dst = slices.Grow(dst, directorySize(len(d.Frames), len(d.IDs)))
	dst = append(dst, version1, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(d.Frames)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(d.IDs)))
	for _, f := range d.Frames {
		dst = binary.LittleEndian.AppendUint32(dst, f.Stored)
	}
	for _, f := range d.Frames {
		dst = binary.LittleEndian.AppendUint32(dst, f.Chunks)
	}
	for _, length := range d.Lengths {
		dst = binary.LittleEndian.AppendUint32(dst, length)
	}
	for i := range d.IDs {
		dst = append(dst, d.IDs[i][:]...)
	}
	return dst
}

// parseDirectory reads what Append wrote. b must hold nothing else.
func parseDirectory(b []byte) (*Directory, error) {
	if len(b) < directoryHead {
		return nil, fmt.Errorf("directory of %d bytes: %w", len(b), ErrDamaged)
	}
	if b[0] != version1 || b[1] != 0 || b[2] != 0 || b[3] != 0 {
		return nil, fmt.Errorf("directory of version %x: %w", b[:4], ErrDamaged)
	}
	frames, chunks := uint64(binary.LittleEndian.Uint32(b[4:])), uint64(binary.LittleEndian.Uint32(b[8:]))
	if chunks > MaxChunks || frames > chunks || uint64(len(b)) != directoryHead+perFrame*frames+perChunk*chunks {
		return nil, fmt.Errorf("directory of %d frames and %d chunks in %d bytes: %w", frames, chunks, len(b), ErrDamaged)
	}
	d := &Directory{Frames: make([]Frame, frames), Lengths: make([]uint32, chunks), IDs: make([]ID, chunks)}
	stored, counts := b[directoryHead:], b[directoryHead+4*frames:]
	lengths, ids := counts[4*frames:], counts[4*frames+4*chunks:]
	for i := range d.Frames {
		d.Frames[i] = Frame{Stored: binary.LittleEndian.Uint32(stored[4*i:]), Chunks: binary.LittleEndian.Uint32(counts[4*i:])}
	}
	for i := range d.Lengths {
		d.Lengths[i] = binary.LittleEndian.Uint32(lengths[4*i:])
		copy(d.IDs[i][:], ids[32*i:])
	}
	return d, d.check()
}

// check returns an error if the directory exceeds a limit of the format.
func (d *Directory) check() error {
	ordinal, offset := uint64(0), uint64(0)
	for i, f := range d.Frames {
		if f.Chunks == 0 || f.Stored == 0 || ordinal+uint64(f.Chunks) > uint64(len(d.IDs)) {
			return fmt.Errorf("frame %d of %d chunks in %d bytes: %w", i, f.Chunks, f.Stored, ErrDamaged)
		}
		raw := uint64(0)
		for range f.Chunks {
			length := d.Lengths[ordinal]
			if raw += uint64(length); length == 0 || raw > MaxChunk {
				return fmt.Errorf("frame %d holds chunk %d of %d bytes: %w", i, ordinal, length, ErrDamaged)
			}
			ordinal++
		}
		if offset += uint64(f.Stored); offset > MaxPack {
			return fmt.Errorf("frames of %d bytes: %w", offset, ErrDamaged)
		}
	}
	if ordinal != uint64(len(d.IDs)) {
		return fmt.Errorf("frames hold %d of %d chunks: %w", ordinal, len(d.IDs), ErrDamaged)
	}
	return nil
}

// overhead returns the unpadded size of what a pack with this many frames and chunks holds besides
// the frames.
func overhead(frames, chunks int) int { return skipHead + directorySize(frames, chunks) + trailerSize }

// fits returns an error if the directory describes more than a plaintext of plain bytes can hold.
func (d *Directory) fits(plain int64) error {
	if n := d.Stored() + int64(overhead(len(d.Frames), len(d.IDs))); n > plain {
		return fmt.Errorf("frames and directory of %d bytes in %d: %w", n, plain, ErrDamaged)
	}
	return nil
}

// tailSize returns the size of directory and trailer together. tail is the end of a pack's
// plaintext.
func tailSize(tail []byte, kind Kind) (int, error) {
	if len(tail) < trailerSize {
		return 0, fmt.Errorf("trailer of %d bytes: %w", len(tail), ErrDamaged)
	}
	t := tail[len(tail)-trailerSize:]
	size := binary.LittleEndian.Uint32(t)
	if string(t[8:]) != trailerMagic || t[4] != version1 || t[5] != kind.code() || t[6] != 0 || t[7] != 0 {
		return 0, fmt.Errorf("trailer %x: %w", t, ErrDamaged)
	}
	if size > uint32(directorySize(MaxChunks, MaxChunks)) {
		return 0, fmt.Errorf("directory of %d bytes: %w", size, ErrDamaged)
	}
	return int(size) + trailerSize, nil
}

// ParseDirectory reads the directory from the end of the plaintext of a pack of this kind. tail
// must reach back to the directory's start. A Directory that it returns is within the limits of the
// format.
func ParseDirectory(tail []byte, kind Kind) (*Directory, error) {
	size, err := tailSize(tail, kind)
	if err != nil {
		return nil, err
	}
	if size > len(tail) {
		return nil, fmt.Errorf("directory and trailer of %d bytes in %d: %w", size, len(tail), ErrDamaged)
	}
	return parseDirectory(tail[len(tail)-size : len(tail)-trailerSize])
}

// code returns the byte that stands for the kind in a trailer; 0 if packs cannot be of this kind.
func (k Kind) code() byte {
	switch k {
	case Data:
		return 1
	case Trees:
		return 2
	}
	return 0
}

func kindOf(code byte) (Kind, error) {
	switch code {
	case 1:
		return Data, nil
	case 2:
		return Trees, nil
	}
	return "", fmt.Errorf("kind of pack %d: %w", code, ErrDamaged)
}

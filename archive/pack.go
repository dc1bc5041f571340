package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"filippo.io/age"

	"github.com/packstone/packstone/crypto"
)

// plain returns the size of the pack's plaintext, or ErrDamaged if no pack can have this size and
// header.
func (p *Pack) plain() (int64, error) {
	if p.Size > MaxPack || p.Header > maxHeader || p.Header < 16 {
		return 0, fmt.Errorf("pack of %d bytes with a header of %d: %w", p.Size, p.Header, ErrDamaged)
	}
	n, err := crypto.PlainSize(int(p.Header), int64(p.Size))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return n, nil
}

// openPack is a pack that is being filled. Its plaintext lies in the buffer at the positions of the
// stored bytes: after room for a header come segments, each followed by a gap for its tag. So
// sealing moves no bytes.
type openPack struct {
	buffer []byte
	limit  int64 // of the padded plaintext, bytes
	size   int64 // of the plaintext so far, bytes
	Directory
	slots []*Slot
	named chan struct{} // closed when the pack is sealed, and its slots know their places
	done  chan struct{} // closed when the pack is stored or given up
}

// bufferSize returns how many bytes a pack with this much plaintext may need, in whole segments.
func bufferSize(plain int64) int {
	return maxHeader + int(crypto.SegmentCount(plain))*crypto.SealedSegment
}

// fits reports whether one more frame leaves the padded pack within its limit.
func (p *openPack) fits(stored, chunks int) bool {
	if len(p.IDs)+chunks > MaxChunks {
		return false
	}
	return p.paddedWith(stored, chunks) <= p.limit
}

// manyChunks is how many chunks close a pack that is not full: what is known of a chunk takes more
// memory than the smallest ones do.
const manyChunks = 1 << 16

// takes reports whether one more frame should go into the pack: it fits, and closing the pack now
// is no better. Once a pack is three quarters full, each size that padding allows is a chance to
// close it with little padding. The pack is closed at a chance that wastes less than waiting for a
// better one is expected to waste. If waste is spread evenly over a frame, that is 2/(n+4) of a
// frame with n more chances.
func (p *openPack) takes(stored, chunks int) bool {
	if !p.fits(stored, chunks) || len(p.IDs) >= manyChunks {
		return false
	}
	now, next := p.paddedWith(0, 0), p.paddedWith(stored, chunks)
	if now == next || now < p.limit/4*3 {
		return true
	}
	waste := now - p.size - int64(overhead(len(p.Frames), len(p.IDs)))
	chances := (p.limit - now) / (next - now)
	return waste*int64(len(p.Frames))*(chances+4) > 2*p.size
}

// paddedWith returns the padded size with another frame.
func (p *openPack) paddedWith(stored, chunks int) int64 {
	frames := len(p.Frames)
	if stored > 0 {
		frames++
	}
	return Padme(p.size+int64(stored)+int64(overhead(frames, len(p.IDs)+chunks)), packFloor)
}

// addFrame copies a frame into the pack. The frame must fit.
func (p *openPack) addFrame(frame []byte, slots []*Slot) {
	p.write(frame)
	p.Frames = append(p.Frames, Frame{Stored: uint32(len(frame)), Chunks: uint32(len(slots))})
	for _, slot := range slots {
		p.IDs = append(p.IDs, slot.chunk.ID)
		p.Lengths = append(p.Lengths, slot.chunk.Length)
	}
	p.slots = append(p.slots, slots...)
}

// write appends to the plaintext, and skips the gaps.
func (p *openPack) write(b []byte) {
	for len(b) > 0 {
		n := copy(p.room(), b)
		b = b[n:]
		p.size += int64(n)
	}
}

// writeZeros appends n zero bytes to the plaintext.
func (p *openPack) writeZeros(n int64) {
	for n > 0 {
		room := p.room()
		room = room[:min(int64(len(room)), n)]
		clear(room)
		n -= int64(len(room))
		p.size += int64(len(room))
	}
}

// room returns the free part of the current segment.
func (p *openPack) room() []byte {
	index, offset := p.size/crypto.SegmentSize, p.size%crypto.SegmentSize
	start := maxHeader + index*crypto.SealedSegment
	return p.buffer[start+offset : start+crypto.SegmentSize]
}

// finish writes padding, directory and trailer after the frames.
func (p *openPack) finish(kind Kind) {
	end := p.Directory.Append(nil)
	size := p.size + int64(skipHead+len(end)+trailerSize)
	padding := Padme(size, packFloor) - size
	end = binary.LittleEndian.AppendUint32(end, uint32(len(end)))
	end = append(end, version1, kind.code(), 0, 0)
	end = append(end, trailerMagic...)
	head := binary.LittleEndian.AppendUint32(nil, skipMagic)
	head = binary.LittleEndian.AppendUint32(head, uint32(padding+int64(len(end))))
	p.write(head)
	p.writeZeros(padding)
	p.write(end)
}

// seal encrypts the finished plaintext in place. It returns the stored bytes, which lie in the
// buffer, and the Pack that describes them.
func (p *openPack) seal(kind Kind, recipients []age.Recipient) ([]byte, *Pack, error) {
	envelope, err := crypto.NewEnvelope(recipients)
	if err != nil {
		return nil, nil, err
	}
	header := envelope.Header()
	if len(header) > maxHeader {
		return nil, nil, fmt.Errorf("the header for %d recipients has %d bytes, more than %d", len(recipients), len(header), maxHeader)
	}
	start, digest := maxHeader-len(header), sha256.New()
	copy(p.buffer[start:], header)
	digest.Write(header)
	end := maxHeader
	for index, count := uint64(0), crypto.SegmentCount(p.size); index < count; index++ {
		n := int(min(p.size-int64(index)*crypto.SegmentSize, crypto.SegmentSize))
		plain := p.buffer[end : end+n]
		// Hash the segment while it is in the processor's cache.
		digest.Write(envelope.SealSegment(plain[:0], plain, index, index+1 == count))
		end += n + crypto.SegmentOverhead
	}
	pack := &Pack{Kind: kind, Size: uint32(end - start), Header: uint32(len(header))}
	digest.Sum(pack.Name[:0])
	return p.buffer[start:end], pack, nil
}

// place sets the places of all chunks in the pack.
func (p *openPack) place(pack *Pack) {
	for chunk := range p.Directory.All(pack) {
		p.slots[chunk.Place.Ordinal].Seal(chunk.Place)
	}
}

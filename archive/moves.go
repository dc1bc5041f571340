package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	movesTag     = "\x01mov"
	movedHead    = 32 + 4 + 4
	perMovedHere = 3 * 4
)

// MovedPack lists chunks that were copied out of one pack into others.
type MovedPack struct {
	Kind   Kind
	Name   Name
	Chunks []MovedChunk // by ordinal
}

// MovedChunk is a chunk of the pack, and where it lies now.
type MovedChunk struct {
	Ordinal uint32
	To      Name
	At      uint32 // the ordinal there
}

// EncodeMoves returns the content of a moves object, which is stored among refs. packs, and the
// chunks of each, must be sorted.
func EncodeMoves(packs []MovedPack) []byte {
	numbers := map[Name]uint32{}
	var names []byte
	for _, p := range packs {
		for _, c := range p.Chunks {
			if _, known := numbers[c.To]; !known {
				numbers[c.To] = uint32(len(numbers))
				names = append(names, c.To[:]...)
			}
		}
	}
	out := binary.LittleEndian.AppendUint32([]byte(movesTag), uint32(len(packs)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(numbers)))
	out = append(out, names...)
	for _, p := range packs {
		out = append(out, p.Name[:]...)
		out = append(out, p.Kind.code(), 0, 0, 0)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(p.Chunks)))
		for _, c := range p.Chunks {
			out = binary.LittleEndian.AppendUint32(out, c.Ordinal)
			out = binary.LittleEndian.AppendUint32(out, numbers[c.To])
			out = binary.LittleEndian.AppendUint32(out, c.At)
		}
	}
	return out
}

// ParseMoves reads the content of a moves object.
func ParseMoves(content []byte) ([]MovedPack, error) {
	packs, err := parseMoves(content)
	if err != nil {
		return nil, fmt.Errorf("read moves: %w", err)
	}
	return packs, nil
}

func parseMoves(b []byte) ([]MovedPack, error) {
	if len(b) < len(movesTag)+8 || string(b[:len(movesTag)]) != movesTag {
		return nil, fmt.Errorf("it begins with %x: %w", b[:min(len(b), 4)], ErrDamaged)
	}
	count, into := uint64(binary.LittleEndian.Uint32(b[4:])), uint64(binary.LittleEndian.Uint32(b[8:]))
	b = b[12:]
	if count*movedHead+into*uint64(len(Name{})) > uint64(len(b)) {
		return nil, fmt.Errorf("%d packs into %d in %d bytes: %w", count, into, len(b), ErrDamaged)
	}
	names := make([]Name, into)
	for i := range names {
		b = b[copy(names[i][:], b):]
	}
	packs := make([]MovedPack, count)
	for i := range packs {
		var err error
		if b, err = packs[i].parse(b, names); err != nil {
			return nil, err
		}
		if i > 0 && compareRefs(&Ref{Kind: packs[i-1].Kind, Name: packs[i-1].Name}, &Ref{Kind: packs[i].Kind, Name: packs[i].Name}) >= 0 {
			return nil, fmt.Errorf("pack %s is out of order: %w", packs[i].Name, ErrDamaged)
		}
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes after the end: %w", len(b), ErrDamaged)
	}
	return packs, nil
}

// parse reads one pack, and returns what follows it.
func (p *MovedPack) parse(b []byte, names []Name) (rest []byte, err error) {
	if len(b) < movedHead {
		return nil, fmt.Errorf("cut short: %w", ErrDamaged)
	}
	copy(p.Name[:], b)
	if p.Kind, err = kindOf(b[32]); err != nil {
		return nil, err
	}
	count := uint64(binary.LittleEndian.Uint32(b[36:]))
	if !bytes.Equal(b[33:36], []byte{0, 0, 0}) || count == 0 || count > MaxChunks || count*perMovedHere > uint64(len(b)-movedHead) {
		return nil, fmt.Errorf("pack %s with %d chunks: %w", p.Name, count, ErrDamaged)
	}
	b = b[movedHead:]
	p.Chunks = make([]MovedChunk, count)
	for i := range p.Chunks {
		number := binary.LittleEndian.Uint32(b[4:])
		c := MovedChunk{Ordinal: binary.LittleEndian.Uint32(b), At: binary.LittleEndian.Uint32(b[8:])}
		if uint64(number) >= uint64(len(names)) || c.Ordinal >= MaxChunks || c.At >= MaxChunks || i > 0 && c.Ordinal <= p.Chunks[i-1].Ordinal {
			return nil, fmt.Errorf("pack %s, chunk %d: %w", p.Name, c.Ordinal, ErrDamaged)
		}
		c.To = names[number]
		p.Chunks[i], b = c, b[perMovedHere:]
	}
	return b, nil
}

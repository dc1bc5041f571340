package archive

import (
	"encoding/binary"
	"fmt"
)

const (
	runTag      = "\x01run"
	runPackHead = 32 + 4 + 4 + 4 + 4
)

// RunPack is a pack and its directory, as listed in an index run.
type RunPack struct {
	Pack      *Pack
	Directory *Directory
}

// EncodeRun returns the content of an index run, to be stored with PutSealed under the domain's
// index key. The content must stay below 256 MiB; callers split a run of more than some thousand
// packs.
func EncodeRun(packs []RunPack) []byte {
	size := len(runTag) + 4
	for _, p := range packs {
		size += p.size()
	}
	out := append(make([]byte, 0, size), runTag...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(packs)))
	for _, p := range packs {
		out = p.append(out)
	}
	return out
}

func (p RunPack) size() int {
	return runPackHead + directorySize(len(p.Directory.Frames), len(p.Directory.IDs))
}

// append appends the pack's entry in a run to out.
func (p RunPack) append(out []byte) []byte {
	out = append(out, p.Pack.Name[:]...)
	out = append(out, p.Pack.Kind.code(), 0, 0, 0)
	out = binary.LittleEndian.AppendUint32(out, p.Pack.Size)
	out = binary.LittleEndian.AppendUint32(out, p.Pack.Header)
	out = binary.LittleEndian.AppendUint32(out, uint32(p.size()-runPackHead))
	return p.Directory.Append(out)
}

// ParseRun reads the content of an index run.
func ParseRun(content []byte) ([]RunPack, error) {
	packs, err := parseRun(content)
	if err != nil {
		return nil, fmt.Errorf("read index run: %w", err)
	}
	return packs, nil
}

func parseRun(b []byte) ([]RunPack, error) {
	if len(b) < len(runTag)+4 || string(b[:len(runTag)]) != runTag {
		return nil, fmt.Errorf("it begins with %x: %w", b[:min(len(b), 4)], ErrDamaged)
	}
	count := binary.LittleEndian.Uint32(b[len(runTag):])
	b = b[len(runTag)+4:]
	if uint64(count)*(runPackHead+directoryHead) > uint64(len(b)) {
		return nil, fmt.Errorf("%d packs in %d bytes: %w", count, len(b), ErrDamaged)
	}
	packs := make([]RunPack, 0, count)
	for i := range count {
		p, rest, err := parseRunPack(b)
		if err != nil {
			return nil, fmt.Errorf("pack %d: %w", i, err)
		}
		packs, b = append(packs, p), rest
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes after the last pack: %w", len(b), ErrDamaged)
	}
	return packs, nil
}

func parseRunPack(b []byte) (RunPack, []byte, error) {
	if len(b) < runPackHead {
		return RunPack{}, nil, fmt.Errorf("cut short: %w", ErrDamaged)
	}
	kind, err := kindOf(b[32])
	if err != nil {
		return RunPack{}, nil, err
	}
	if b[33] != 0 || b[34] != 0 || b[35] != 0 {
		return RunPack{}, nil, fmt.Errorf("bytes %x after the kind: %w", b[33:36], ErrDamaged)
	}
	p := &Pack{Kind: kind, Size: binary.LittleEndian.Uint32(b[36:]), Header: binary.LittleEndian.Uint32(b[40:])}
	copy(p.Name[:], b)
	size := binary.LittleEndian.Uint32(b[44:])
	b = b[runPackHead:]
	if uint64(size) > uint64(len(b)) {
		return RunPack{}, nil, fmt.Errorf("directory of %d bytes: %w", size, ErrDamaged)
	}
	d, err := parseDirectory(b[:size])
	if err != nil {
		return RunPack{}, nil, err
	}
	plain, err := p.plain()
	if err == nil {
		err = d.fits(plain)
	}
	return RunPack{p, d}, b[size:], err
}

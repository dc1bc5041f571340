package tree

import (
	"fmt"

	"github.com/packstone/packstone/archive"
)

// maxRuns is the largest number of runs that a reader accepts.
const maxRuns = 64

// rootWire is a root as it is stored.
type rootWire struct {
	Version uint64    `cbor:"v"`
	Entries uint64    `cbor:"entries"`
	Bytes   uint64    `cbor:"bytes"`
	Runs    []runWire `cbor:"runs"`
}

type runWire struct {
	Height  uint8  `cbor:"height"`
	Entries uint64 `cbor:"entries"`
	Bytes   uint64 `cbor:"bytes"`
	ID      []byte `cbor:"id"`
	Length  uint32 `cbor:"length"`
	Pack    []byte `cbor:"pack,omitempty"` // no place without it
	Kind    uint8  `cbor:"kind,omitempty"`
	Size    uint32 `cbor:"size,omitempty"`
	Header  uint32 `cbor:"header,omitempty"`
	Ordinal uint32 `cbor:"ordinal,omitempty"`
	Frame   uint32 `cbor:"frame,omitempty"`
	Stored  uint32 `cbor:"stored,omitempty"`
	Start   uint32 `cbor:"start,omitempty"`
}

// MarshalCBOR encodes the root as described in FORMAT.md. Equal roots have equal encodings.
func (r Root) MarshalCBOR() ([]byte, error) {
	w := rootWire{Version: pageVersion, Entries: r.Entries, Bytes: r.Bytes, Runs: make([]runWire, len(r.Runs))}
	for i := range r.Runs {
		w.Runs[i] = r.Runs[i].wire()
	}
	b, err := encoding.Marshal(&w)
	if err != nil {
		return nil, fmt.Errorf("encode tree root: %w", err)
	}
	return b, nil
}

func (r *Run) wire() runWire {
	p := r.Top.Place
	w := runWire{Height: r.Height, Entries: r.Entries, Bytes: r.Bytes, ID: r.Top.ID[:], Length: r.Top.Length}
	if p.Pack != nil {
		w.Pack, w.Kind, w.Size, w.Header = p.Pack.Name[:], kindByte(p.Pack.Kind), p.Pack.Size, p.Pack.Header
		w.Ordinal, w.Frame, w.Stored, w.Start = p.Ordinal, p.Frame, p.Stored, p.Start
	}
	return w
}

// UnmarshalCBOR decodes what MarshalCBOR wrote. Errors wrap ErrFormat or ErrUnsupported.
func (r *Root) UnmarshalCBOR(b []byte) error {
	var w rootWire
	if err := decoding.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("decode tree root: %w: %w", ErrFormat, err)
	}
	if w.Version != pageVersion {
		return fmt.Errorf("decode tree root: %w: version %d", ErrUnsupported, w.Version)
	}
	if len(w.Runs) > maxRuns {
		return fmt.Errorf("decode tree root: %w", malformed("%d runs", len(w.Runs)))
	}
	root := Root{Entries: w.Entries, Bytes: w.Bytes}
	for i := range w.Runs {
		run, err := w.Runs[i].run()
		if err != nil {
			return fmt.Errorf("decode tree root: run %d: %w", i, err)
		}
		root.Runs = append(root.Runs, run)
	}
	*r = root
	return nil
}

func (w *runWire) run() (Run, error) {
	r := Run{Height: w.Height, Entries: w.Entries, Bytes: w.Bytes, Top: archive.Chunk{Length: w.Length}}
	if w.Height > maxHeight || copy(r.Top.ID[:], w.ID) != len(w.ID) || len(w.ID) != len(r.Top.ID) {
		return r, malformed("height %d, id of %d bytes", w.Height, len(w.ID))
	}
	if w.Pack == nil {
		return r, nil
	}
	pack := &archive.Pack{Size: w.Size, Header: w.Header}
	kind, known := kindOf(uint64(w.Kind))
	if !known || len(w.Pack) != len(pack.Name) {
		return r, malformed("pack of kind %d, name of %d bytes", w.Kind, len(w.Pack))
	}
	pack.Kind = kind
	copy(pack.Name[:], w.Pack)
	r.Top.Place = archive.Place{Pack: pack, Ordinal: w.Ordinal, Frame: w.Frame, Stored: w.Stored, Start: w.Start}
	return r, nil
}

// kindOf is the inverse of kindByte.
func kindOf(b uint64) (kind archive.Kind, known bool) {
	switch b {
	case 0:
		return "", true
	case 1:
		return archive.Data, true
	case 2:
		return archive.Trees, true
	}
	return "", false
}

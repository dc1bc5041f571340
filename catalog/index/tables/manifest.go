package tables

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/disk"
)

// manifest lists the files, and how much of each counts. It is replaced atomically.
type manifest struct {
	generation uint64 // random; files of another generation are another index
	chunkPages int64  // of the file of chunks
	packPages  int64  // of the file of packs
	tables     []tableNote
	runs       []runNote
}

// tableNote is a table of keys.
type tableNote struct {
	number uint64 // random, of its file
	keys   int64
}

// runNote is an index run in the tables. Packs refer to it by its position in the list.
type runNote struct {
	name   archive.Name
	packs  uint32
	chunks uint32
}

const (
	manifestName  = "manifest"
	manifestMagic = "pstable\x01"
	manifestHead  = len(manifestMagic) + 8 + 8 + 8 + 4 + 4
	tableNoteSize = 8 + 8
	runNoteSize   = 32 + 4 + 4
	maxTables     = 1 << 10
	maxPages      = 1 << 40
)

func (m *manifest) encode() []byte {
	out := make([]byte, 0, manifestHead+tableNoteSize*len(m.tables)+runNoteSize*len(m.runs)+4)
	out = append(out, manifestMagic...)
	out = binary.LittleEndian.AppendUint64(out, m.generation)
	out = binary.LittleEndian.AppendUint64(out, uint64(m.chunkPages))
	out = binary.LittleEndian.AppendUint64(out, uint64(m.packPages))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(m.tables)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(m.runs)))
	for _, t := range m.tables {
		out = binary.LittleEndian.AppendUint64(out, t.number)
		out = binary.LittleEndian.AppendUint64(out, uint64(t.keys))
	}
	for i := range m.runs {
		out = append(out, m.runs[i].name[:]...)
		out = binary.LittleEndian.AppendUint32(out, m.runs[i].packs)
		out = binary.LittleEndian.AppendUint32(out, m.runs[i].chunks)
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// parseManifest reads what encode wrote. b must hold nothing else.
func parseManifest(b []byte) (*manifest, error) {
	if len(b) < manifestHead+4 || string(b[:len(manifestMagic)]) != manifestMagic {
		return nil, fmt.Errorf("manifest of %d bytes: %w", len(b), ErrDamaged)
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return nil, fmt.Errorf("the manifest's sum is wrong: %w", ErrDamaged)
	}
	body = body[len(manifestMagic):]
	m := &manifest{
		generation: binary.LittleEndian.Uint64(body),
		chunkPages: int64(binary.LittleEndian.Uint64(body[8:])),
		packPages:  int64(binary.LittleEndian.Uint64(body[16:])),
	}
	tables, runs := int(binary.LittleEndian.Uint32(body[24:])), int(binary.LittleEndian.Uint32(body[28:]))
	body = body[32:]
	if tables > maxTables || len(body) != tableNoteSize*tables+runNoteSize*runs {
		return nil, fmt.Errorf("manifest of %d tables and %d runs in %d bytes: %w", tables, runs, len(b), ErrDamaged)
	}
	for range tables {
		m.tables = append(m.tables, tableNote{binary.LittleEndian.Uint64(body), int64(binary.LittleEndian.Uint64(body[8:]))})
		body = body[tableNoteSize:]
	}
	m.runs = make([]runNote, runs)
	for i := range m.runs {
		note := body[i*runNoteSize:]
		m.runs[i] = runNote{archive.Name(note[:32]), binary.LittleEndian.Uint32(note[32:]), binary.LittleEndian.Uint32(note[36:])}
	}
	return m, m.check()
}

func (m *manifest) check() error {
	if m.chunkPages < 0 || m.chunkPages > maxPages || m.packPages < 0 || m.packPages > maxPages {
		return fmt.Errorf("manifest of %d and %d pages: %w", m.chunkPages, m.packPages, ErrDamaged)
	}
	most := m.chunkPages*perPage(chunkSize) + m.packPages*perPage(packSize)
	for _, t := range m.tables {
		if t.keys < 1 || t.keys > most {
			return fmt.Errorf("table of %d keys to %d chunks and packs: %w", t.keys, most, ErrDamaged)
		}
		most -= t.keys
	}
	return nil
}

// readManifest returns an empty manifest of a new generation if there is none.
func readManifest(dir string) (*manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return &manifest{generation: random()}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the index on disk: %w", err)
	}
	m, err := parseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("read the index on disk: %w", err)
	}
	return m, nil
}

// write replaces the manifest.
func (m *manifest) write(dir string) error {
	err := disk.Replace(filepath.Join(dir, manifestName), disk.Options{Prefix: disk.Temporary}, func(w io.Writer) error {
		_, err := w.Write(m.encode())
		return err
	})
	if err != nil {
		return fmt.Errorf("write the index on disk: %w", err)
	}
	return nil
}

// chunksName and its like return names of files. All contain hexadecimal numbers, so that leftovers
// can be recognized in a listing.
func chunksName(generation uint64) string { return fmt.Sprintf("chunks-%016x", generation) }
func packsName(generation uint64) string  { return fmt.Sprintf("packs-%016x", generation) }
func keysName(number uint64) string       { return fmt.Sprintf("keys-%016x", number) }

// files returns the names of all files in the manifest.
func (m *manifest) files() map[string]bool {
	names := map[string]bool{manifestName: true, lockName: true, chunksName(m.generation): true, packsName(m.generation): true}
	for _, t := range m.tables {
		names[keysName(t.number)] = true
	}
	return names
}

package keep

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// memory is a file with the ends of locks as a run has left or found them, in the order of names.
// Losing it costs requests only. A run writes a file beside it, which the next one merges into it
// if the run was interrupted.
type memory struct {
	path  string // empty: nothing is remembered
	whole bool   // a run has come to its end
	since time.Time
}

// memoryName is the file's name in the cache, for one address: a copy of a repository has other
// locks.
func memoryName(location string) string {
	sum := sha256.Sum256([]byte(location))
	return "keep/" + hex.EncodeToString(sum[:8])
}

// header is the first line of the file.
type header struct {
	Version int       `json:"packstone_keep"`
	Whole   bool      `json:"whole,omitempty"` // a run has come to its end
	Since   time.Time `json:"since,omitzero"`  // when that began
	Seen
}

// Seen is what the last run that came to its end has found.
type Seen struct {
	At       time.Time      `json:"at,omitzero"`
	Until    time.Time      `json:"until,omitzero"` // the earliest end of a lock
	Mode     store.LockMode `json:"mode,omitempty"`
	Objects  int            `json:"objects,omitempty"`
	Bytes    int64          `json:"bytes,omitempty"`
	Withheld int            `json:"withheld,omitempty"` // packs that were not extended
}

const memoryVersion = 1

// line is one object's lock.
type line struct {
	name, version string
	lock          store.Lock
}

// String returns the line as the file has it.
func (l line) String() string {
	return fmt.Sprintf("%s %s %d %s\n", l.name, l.version, l.lock.Until.Unix(), l.lock.Mode)
}

// parseLine reads what String writes.
func parseLine(text string) (line, bool) {
	parts := strings.Split(strings.TrimSuffix(text, "\n"), " ")
	if len(parts) != 4 || !store.ValidName(parts[0]) {
		return line{}, false
	}
	seconds, err := strconv.ParseInt(parts[2], 10, 64)
	mode := store.LockMode(parts[3])
	if err != nil || mode != store.Governance && mode != store.Compliance {
		return line{}, false
	}
	l := line{parts[0], parts[1], store.Lock{Mode: mode, Until: time.Unix(seconds, 0).UTC()}}
	return l, l.String() == text
}

// reading reads a file in step with a listing.
type reading struct {
	file *os.File
	in   *bufio.Reader
	head header
	next line
	more bool
}

// open begins to read. A file that is missing or damaged is empty from there on.
func (m *memory) open() (*reading, error) { return openFile(m.path) }

func openFile(path string) (*reading, error) {
	r := &reading{}
	if path == "" {
		return r, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what is remembered of locks: %w", err)
	}
	r.file, r.in = file, bufio.NewReader(file)
	first, err := r.in.ReadString('\n')
	if err == nil && json.Unmarshal([]byte(first), &r.head) == nil && r.head.Version == memoryVersion {
		r.step()
	}
	return r, nil
}

// step reads the next line. Names must grow.
func (r *reading) step() {
	text, err := r.in.ReadString('\n')
	before := r.next.name
	if r.more = err == nil; r.more {
		r.next, r.more = parseLine(text)
		r.more = r.more && r.next.name > before
	}
}

// find returns what is remembered of a version. Names must be asked for in their order.
func (r *reading) find(name, version string) (store.Lock, bool) {
	for r.more && r.next.name < name {
		r.step()
	}
	if r.more && r.next.name == name && r.next.version == version {
		return r.next.lock, true
	}
	return store.Lock{}, false
}

func (r *reading) close() {
	if r.file != nil {
		r.file.Close()
	}
}

// recover merges what an interrupted run has left, and reads the header.
func (m *memory) recover() error {
	if m.path == "" {
		return nil
	}
	if _, err := os.Stat(m.path + ".new"); err == nil {
		if err := m.merge(); err != nil {
			return fmt.Errorf("remember what an interrupted run has done: %w", err)
		}
	}
	r, err := m.open()
	if err != nil {
		return err
	}
	defer r.close()
	m.whole, m.since = r.head.Whole, r.head.Since
	return nil
}

// merge writes a file with the lines of both, and those of the newer where both have a name.
func (m *memory) merge() error {
	older, err := openFile(m.path)
	if err != nil {
		return err
	}
	defer older.close()
	newer, err := openFile(m.path + ".new")
	if err != nil {
		return err
	}
	defer newer.close()
	w, err := createFile(m.path+".merged", older.head)
	if err != nil {
		return err
	}
	defer w.close()
	for older.more || newer.more {
		from := newer
		if !newer.more || older.more && older.next.name < newer.next.name {
			from = older
		}
		if err := w.add(from.next.name, from.next.version, from.next.lock); err != nil {
			return err
		}
		if from == newer && older.more && older.next.name == newer.next.name {
			older.step()
		}
		from.step()
	}
	if err := errors.Join(w.flush(), w.file.Sync(), os.Rename(m.path+".merged", m.path)); err != nil {
		return err
	}
	return os.Remove(m.path + ".new")
}

// writing writes a file.
type writing struct {
	memory *memory
	file   *os.File
	out    *bufio.Writer
}

// create begins the file of a run.
func (m *memory) create() (*writing, error) {
	if m.path == "" {
		return &writing{memory: m, out: bufio.NewWriter(io.Discard)}, nil
	}
	w, err := createFile(m.path+".new", header{})
	if err != nil {
		return nil, fmt.Errorf("remember locks: %w", err)
	}
	w.memory = m
	return w, nil
}

func createFile(path string, head header) (*writing, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	w := &writing{file: file, out: bufio.NewWriter(file)}
	return w, w.head(head)
}

// headSize is the room for the header, which is written anew at the end of a run.
const headSize = 512

func (w *writing) head(h header) error {
	h.Version = memoryVersion
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%-*s\n", headSize-1, text)
	return err
}

func (w *writing) add(name, version string, lock store.Lock) error {
	_, err := w.out.WriteString(line{name, version, lock}.String())
	return err
}

func (w *writing) flush() error { return w.out.Flush() }

func (w *writing) close() {
	if w.file != nil {
		w.file.Close()
	}
}

// finish replaces what was remembered: the run has come to its end.
func (w *writing) finish(r *Report, began time.Time) error {
	if w.file == nil {
		return nil
	}
	seen := Seen{At: began, Until: r.Until, Mode: r.Mode, Objects: r.Extended.Objects + r.Kept.Objects, Bytes: r.Extended.Bytes + r.Kept.Bytes, Withheld: r.Withheld.Objects}
	if err := w.flush(); err != nil {
		return fmt.Errorf("remember locks: %w", err)
	}
	_, err := w.file.Seek(0, io.SeekStart)
	err = errors.Join(err, w.head(header{Whole: true, Since: began, Seen: seen}), w.flush(), w.file.Sync())
	if err == nil {
		err = os.Rename(w.memory.path+".new", w.memory.path)
	}
	if err != nil {
		return fmt.Errorf("remember locks: %w", err)
	}
	return nil
}

// LastSeen returns what the last run on this machine has found that came to its end; false if there
// was none.
func LastSeen(repo *catalog.Repository) (Seen, bool) {
	r, err := openFile(repo.Cache.Path(memoryName(repo.Store.Location())))
	if err != nil {
		return Seen{}, false
	}
	defer r.close()
	return r.head.Seen, r.head.Whole
}

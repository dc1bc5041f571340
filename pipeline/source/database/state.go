package database

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/packstone/packstone/catalog/entry"
	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/source"
)

// states are what earlier backups remembered of tables: files in one directory, per backup for all
// small tables, and per backup and table for the others
//
//	<generation>.states          states of small tables, with the fingerprints
//	<table>-<generation>.json    the state: its runs, each with its size and its entry's identity
//	<table>-<generation>.rows    the fingerprints of its rows
//	<table>-<generation>.delta   changes while they wait to be read
//
// A backup leaves its states beside those that it was built on, since it cannot know whether its
// snapshot is committed. The next one uses a state only if the last tree holds every run of it,
// which it tells by their identities: they are random, so a run that was never committed, or
// belongs to another repository, is not taken for the tree's.
type states struct {
	dir        string
	generation string
	lock       io.Closer
	of         map[string][]*state // by table
	small      *shared             // where this backup leaves states of small tables
	room       atomic.Int64        // for what is put aside in memory
}

// state is what a table was after a backup.
type state struct {
	Table  string    `json:"table"`
	Runs   []run     `json:"runs"`
	Rows   int64     `json:"rows"`
	Digest db.Digest `json:"digest"`
	Prints string    `json:"prints"`          // SHA-256 of the fingerprints
	Small  []byte    `json:"small,omitempty"` // the fingerprints, if they have no file
	Sum    string    `json:"sum"`             // SHA-256 of all else, the fingerprints excepted

	path string // of the files of its own, without an ending; empty: it lies among others
}

const (
	stateEnding  = ".json"
	printsEnding = ".rows"
	deltaEnding  = ".delta"
	scratchName  = "scratch"
)

// openStates opens the directory and lists the states. It returns nil if another process uses the
// directory; the backup then reads whole tables.
func openStates(dir, generation string) (*states, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("remember tables: %w", err)
	}
	lock, err := lockDirectory(dir)
	if err != nil || lock == nil {
		return nil, err
	}
	s := &states{dir: dir, generation: generation, lock: lock, of: map[string][]*state{}, small: newShared(dir, generation)}
	s.room.Store(roomBytes)
	if err := errors.Join(s.clearScratch(), s.readAll()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// readAll reads what is there. What cannot be read is left out: its tables are read whole.
func (s *states) readAll() error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("remember tables: %w", err)
	}
	for _, f := range files {
		for _, one := range readStates(filepath.Join(s.dir, f.Name())) {
			s.of[one.Table] = append(s.of[one.Table], one)
		}
	}
	return nil
}

// readStates returns the states in a file.
func readStates(name string) []*state {
	switch filepath.Ext(name) {
	case stateEnding:
		if one := readState(name); one != nil {
			return []*state{one}
		}
	case sharedEnding:
		all, _ := readShared(name)
		return all
	}
	return nil
}

// scratch returns a directory for a temporary copy of the database.
func (s *states) scratch() string {
	if s == nil {
		return ""
	}
	return filepath.Join(s.dir, scratchName)
}

// clearScratch removes leftovers of killed backups.
func (s *states) clearScratch() error {
	if err := os.RemoveAll(s.scratch()); err != nil {
		return fmt.Errorf("clear the copies of a database: %w", err)
	}
	if err := os.Mkdir(s.scratch(), 0o700); err != nil {
		return fmt.Errorf("make room for copies of a database: %w", err)
	}
	return nil
}

// readState reads a state. It returns nil for any other file, which sweep removes.
func readState(name string) *state {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	one := &state{path: strings.TrimSuffix(name, stateEnding)}
	if err := json.Unmarshal(text, one); err != nil || len(one.Runs) == 0 || one.Sum != one.sum() {
		return nil
	}
	return one
}

// sum returns what Sum is if nothing has changed since.
func (s *state) sum() string {
	text, err := json.Marshal(&state{Table: s.Table, Runs: s.Runs, Rows: s.Rows, Digest: s.Digest, Prints: s.Prints})
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (s *states) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.small.close(), s.lock.Close())
}

// path names a file of a table's state, without an ending.
func (s *states) path(table string) string {
	escaped := path.Base(path.Dir(rows.RunPath(table, 0, false)))
	return filepath.Join(s.dir, escaped+"-"+s.generation)
}

// aside returns room for what a table puts aside.
func (s *states) aside(table, ending string) *aside {
	return &aside{path: s.path(table) + ending, room: &s.room}
}

// find returns the longest state of a table whose runs the last tree contains, nil if there is
// none.
func (s *states) find(ctx context.Context, table string, lookup source.Lookup) (*state, error) {
	var best *state
	for _, one := range s.of[table] {
		if best != nil && len(best.Runs) >= len(one.Runs) {
			continue
		}
		held, err := one.heldBy(ctx, lookup)
		if err != nil {
			return nil, err
		}
		if held {
			best = one
		}
	}
	return best, nil
}

func (s *state) heldBy(ctx context.Context, lookup source.Lookup) (bool, error) {
	for _, r := range s.Runs {
		e, err := lookup(ctx, r.Path)
		if err != nil {
			return false, err
		}
		if e == nil || e.Type != entry.File || e.Fuzzy || e.Size != r.Bytes || e.Identity != r.Identity {
			return false, nil
		}
	}
	return true, nil
}

// sweep removes states on which no table builds. Those of small tables move to the file of this
// backup.
func (s *states) sweep(tables []*table) error {
	wanted := map[string]bool{lockName: true, filepath.Base(s.small.path): true}
	var small []*state
	for _, t := range tables {
		switch {
		case t.state == nil:
		case t.state.path == "":
			small = append(small, t.state)
		default:
			wanted[filepath.Base(t.state.path+stateEnding)] = true
			wanted[filepath.Base(t.state.path+printsEnding)] = true
		}
	}
	if err := s.carry(small); err != nil {
		return err
	}
	return s.removeExcept(wanted)
}

// carry takes states of small tables over. Tables whose states find no room are read whole next
// time.
func (s *states) carry(small []*state) error {
	if len(small) == 0 {
		return nil
	}
	added, err := s.small.add(small...)
	for i := 0; i < len(small) && !added && err == nil; i++ {
		_, err = s.small.add(small[i])
	}
	if err != nil {
		return fmt.Errorf("remember tables: %w", err)
	}
	return nil
}

func (s *states) removeExcept(wanted map[string]bool) error {
	found, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("remember tables: %w", err)
	}
	for _, f := range found {
		if wanted[f.Name()] || f.IsDir() {
			continue
		}
		_ = os.Remove(filepath.Join(s.dir, f.Name())) // what stays behind does no harm
	}
	return nil
}

// forget removes a state.
func (s *states) forget(one *state) (err error) {
	if s == nil || one == nil {
		return nil
	}
	if one.path == "" {
		gone := &state{Table: one.Table}
		gone.Sum = gone.sum()
		_, err = s.small.add(gone)
	} else if err = os.Remove(one.path + stateEnding); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("forget a table's state: %w", err)
	}
	return nil
}

func (s *state) stored() rows.Stored { return storedOf(s.Table, s.Runs, s.Rows, s.Digest) }

// openPrints opens the fingerprints.
func (s *state) openPrints() (*printReader, error) {
	r := &printReader{file: io.NopCloser(bytes.NewReader(s.Small)), sum: sha256.New(), want: s.Prints}
	if s.path == "" {
		return r, nil
	}
	f, err := os.Open(s.path + printsEnding)
	r.file = f
	return r, err
}

// printReader reads fingerprints and checks that they are those that were written.
type printReader struct {
	file io.ReadCloser
	sum  hash.Hash
	want string
}

// Read implements io.Reader.
func (r *printReader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.sum.Write(p[:n])
	return n, err
}

// intact reads the rest and compares the hash.
func (r *printReader) intact() bool {
	_, err := io.Copy(io.Discard, r)
	return err == nil && hex.EncodeToString(r.sum.Sum(nil)) == r.want
}

// Close closes the file.
func (r *printReader) Close() error { return r.file.Close() }

// writtenState is a state whose fingerprints are being written.
type writtenState struct {
	state
	states *states
	prints *aside
	hash   hash.Hash // of the fingerprints
	kept   bool
}

func (s *states) create(table string) *writtenState {
	return &writtenState{state: state{Table: table}, states: s, prints: s.aside(table, printsEnding), hash: sha256.New()}
}

// Write adds fingerprints.
func (w *writtenState) Write(p []byte) (int, error) {
	w.hash.Write(p)
	return w.prints.Write(p)
}

// keep completes the state.
func (w *writtenState) keep(runs []run, result rows.Result) (*state, error) {
	w.Runs, w.Rows, w.Digest, w.Prints = runs, result.Rows, result.Digest, hex.EncodeToString(w.hash.Sum(nil))
	w.Sum = w.state.sum()
	if err := w.store(); err != nil {
		return nil, fmt.Errorf("remember table %s: %w", w.Table, err)
	}
	w.kept = true
	return &w.state, nil
}

// store writes the state among others if it is small, else into files of its own.
func (w *writtenState) store() error {
	if !w.prints.large {
		w.Small = bytes.Clone(w.prints.small)
		added, err := w.states.small.add(&w.state)
		if added || err != nil {
			w.prints.free()
			return err
		}
		w.Small = nil
		if err := w.prints.spill(); err != nil {
			return err
		}
	}
	if err := w.prints.end(); err != nil {
		return err
	}
	text, err := json.Marshal(&w.state)
	if err != nil {
		return err
	}
	w.path = w.states.path(w.Table)
	return os.WriteFile(w.path+stateEnding, text, 0o600)
}

// discard removes a state that was not kept.
func (w *writtenState) discard() {
	if !w.kept {
		_ = w.prints.remove()
	}
}

package database

import (
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

	"github.com/packstone/packstone/catalog/entry"
	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/source"
)

// states are what earlier backups remembered of tables: files in one directory, per table and
// backup
//
//	<table>-<generation>.json    the state: its runs, each with its size and its entry's identity
//	<table>-<generation>.rows    the fingerprints of its rows
//	<table>-<generation>.delta   changes while they wait to be read
//
// A backup leaves its states beside those that it was built on, since it cannot know whether its
// snapshot is committed. The next one uses a state only if the last tree holds every run of it,
// which it tells by their identities: they are random, so a run that was never committed, or
// belongs to another repository, is not taken for the tree's.
type states struct {
	dir  string
	lock io.Closer
	all  []*state
}

// state is what a table was after a backup.
type state struct {
	Table  string    `json:"table"`
	Runs   []run     `json:"runs"`
	Rows   int64     `json:"rows"`
	Digest db.Digest `json:"digest"`
	Prints string    `json:"prints"` // SHA-256 of the fingerprints

	path string // without its ending
}

const (
	stateEnding  = ".json"
	printsEnding = ".rows"
	scratchName  = "scratch"
)

// openStates opens the directory and lists the states. It returns nil if another process uses the
// directory; the backup then reads whole tables.
func openStates(dir string) (*states, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("remember tables: %w", err)
	}
	lock, err := lockDirectory(dir)
	if err != nil || lock == nil {
		return nil, err
	}
	s := &states{dir: dir, lock: lock}
	if err := s.clearScratch(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"+stateEnding))
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, name := range names {
		if one := readState(name); one != nil {
			s.all = append(s.all, one)
		}
	}
	return s, nil
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
	if err := json.Unmarshal(text, one); err != nil || len(one.Runs) == 0 {
		return nil
	}
	return one
}

func (s *states) close() error {
	if s == nil {
		return nil
	}
	return s.lock.Close()
}

// path names a file of a table's state.
func (s *states) path(table, generation, ending string) string {
	escaped := path.Base(path.Dir(rows.RunPath(table, 0, false)))
	return filepath.Join(s.dir, escaped+"-"+generation+"."+ending)
}

// find returns the longest state of a table whose runs the last tree contains, nil if there is
// none.
func (s *states) find(ctx context.Context, table string, lookup source.Lookup) (*state, error) {
	var best *state
	for _, one := range s.all {
		if one.Table != table || best != nil && len(best.Runs) >= len(one.Runs) {
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

// sweep removes states on which no table builds.
func (s *states) sweep(tables []*table) error {
	wanted := map[string]bool{}
	for _, t := range tables {
		if t.state != nil {
			wanted[t.state.path+stateEnding] = true
			wanted[t.state.path+printsEnding] = true
		}
	}
	found, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("remember tables: %w", err)
	}
	for _, f := range found {
		name := filepath.Join(s.dir, f.Name())
		if wanted[name] || f.Name() == lockName || f.IsDir() {
			continue
		}
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("forget a table's earlier state: %w", err)
		}
	}
	return nil
}

// forget removes a state.
func (s *states) forget(one *state) error {
	if s == nil || one == nil {
		return nil
	}
	if err := os.Remove(one.path + stateEnding); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget a table's state: %w", err)
	}
	return nil
}

func (s *state) stored() rows.Stored { return storedOf(s.Table, s.Runs, s.Rows, s.Digest) }

// openPrints opens the fingerprints.
func (s *state) openPrints() (*printReader, error) {
	f, err := os.Open(s.path + printsEnding)
	if err != nil {
		return nil, err
	}
	return &printReader{file: f, sum: sha256.New(), want: s.Prints}, nil
}

// printReader reads fingerprints and checks that they are those that were written.
type printReader struct {
	file *os.File
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
	file *os.File // nil after keep and discard
	sum  hash.Hash
}

func (s *states) create(table, generation string) (*writtenState, error) {
	name := s.path(table, generation, strings.TrimPrefix(printsEnding, "."))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("remember table %s: %w", table, err)
	}
	return &writtenState{
		state: state{Table: table, path: strings.TrimSuffix(name, printsEnding)}, file: f, sum: sha256.New(),
	}, nil
}

// Write adds fingerprints.
func (w *writtenState) Write(p []byte) (int, error) {
	w.sum.Write(p)
	return w.file.Write(p)
}

// keep completes the state.
func (w *writtenState) keep(runs []run, result rows.Result) (*state, error) {
	f := w.file
	w.file = nil
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("remember table %s: %w", w.Table, err)
	}
	w.Runs, w.Rows, w.Digest, w.Prints = runs, result.Rows, result.Digest, hex.EncodeToString(w.sum.Sum(nil))
	text, err := json.Marshal(&w.state)
	if err != nil {
		return nil, fmt.Errorf("remember table %s: %w", w.Table, err)
	}
	if err := os.WriteFile(w.path+stateEnding, text, 0o600); err != nil {
		return nil, fmt.Errorf("remember table %s: %w", w.Table, err)
	}
	return &w.state, nil
}

// discard removes a state that was not kept.
func (w *writtenState) discard() {
	if w.file == nil {
		return
	}
	_ = w.file.Close()
	_ = os.Remove(w.path + printsEnding)
	w.file = nil
}

package database

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// shared is the file in which a backup leaves the states of small tables, each a line of JSON with
// its fingerprints. Its methods are safe to call at once.
type shared struct {
	path string

	mu   sync.Mutex
	file *os.File
	left int // bytes of fingerprints that may still be added; who reads the file holds them in memory
}

const sharedEnding = ".states"

func newShared(dir, generation string) *shared {
	return &shared{path: filepath.Join(dir, generation+sharedEnding), left: roomBytes}
}

// add appends states. It reports false, and adds none, if there is no room.
func (s *shared) add(all ...*state) (bool, error) {
	var lines bytes.Buffer
	to, size := json.NewEncoder(&lines), 0
	for _, one := range all {
		size += len(one.Small)
		if err := to.Encode(one); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > s.left {
		return false, nil
	}
	if err := s.open(); err != nil {
		return false, err
	}
	s.left -= size
	_, err := s.file.Write(lines.Bytes())
	return true, err
}

func (s *shared) open() (err error) {
	if s.file == nil {
		s.file, err = os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	}
	return err
}

func (s *shared) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// readShared reads the states in a file. A line without runs says that earlier ones of its table
// count no longer. A line that is damaged, as the last one after a crash, is nothing.
func readShared(name string) ([]*state, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []*state
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all, nil
		}
		one := &state{}
		if json.Unmarshal(line, one) != nil || one.Sum != one.sum() {
			continue
		}
		if len(one.Runs) == 0 {
			all = slices.DeleteFunc(all, func(before *state) bool { return before.Table == one.Table })
			continue
		}
		all = append(all, one)
	}
}

package catalog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/packstone/packstone/archive/disk"
)

// laneLock is held by the process of this host that writes to a lane. Its file keeps the nonce of
// the session that is, or was last, open there, and the one before: whether the last came to be is
// known only when it was put. Without a cache directory it guards nothing: then the store's
// sessions alone keep runs apart.
type laneLock struct {
	mu   sync.Mutex
	file *os.File
	last []string
}

// laneFile is the file of the cache by which a lane is locked.
func laneFile(lane Lane) string { return "lanes/" + lane.String() }

// lockLane returns nil if another process holds the lane.
func lockLane(cache *Cache, lane Lane) (*laneLock, error) {
	path := cache.Path(laneFile(lane))
	if path == "" {
		return &laneLock{}, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock lane %s: %w", lane, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock lane %s: %w", lane, err)
	}
	free, err := disk.TryLock(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock lane %s: %w", lane, err)
	}
	if !free {
		file.Close()
		return nil, nil
	}
	nonces, err := io.ReadAll(io.LimitReader(file, 4<<10))
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock lane %s: %w", lane, err)
	}
	return &laneLock{file: file, last: strings.Fields(string(nonces))}, nil
}

// keptNonces is how many sessions' nonces a lane's file holds at most.
const keptNonces = 8

// knows tells whether keep has kept a nonce lately, in this process or an earlier one.
func (l *laneLock) knows(nonce string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.last, nonce)
}

// keep writes a session's nonce before the session is opened, beside the others.
func (l *laneLock) keep(nonce string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append([]string{nonce}, l.last[:min(len(l.last), keptNonces-1)]...)
	return l.write()
}

// opened says that the session whose nonce was kept last is open, so that no other can be.
func (l *laneLock) opened() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.last) == 1 {
		return nil
	}
	l.last = l.last[:1]
	return l.write()
}

func (l *laneLock) write() error {
	if l.file == nil {
		return nil
	}
	text := strings.Join(l.last, "\n")
	_, err := l.file.WriteAt([]byte(text), 0)
	if err == nil {
		err = l.file.Truncate(int64(len(text)))
	}
	if err != nil {
		return fmt.Errorf("keep the session's nonce: %w", err)
	}
	return nil
}

func (l *laneLock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

package catalog

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/catalog/entry"
)

// Unfinished records in the cache what a backup has captured of one source so far, in the order of
// the walk. If the backup is interrupted, the next one takes over the entries that have not
// changed. Entries captured before a checkpoint are bound to its hash, and valid only while the
// checkpoint is in the log and nothing was committed since.
//
// The file is a list of (length, CRC-32C, record); an incomplete end is dropped. Failures to read
// or write only cost time, so no method returns errors. Find is for one goroutine, and so is Add;
// Mark may be called at the same time.
type Unfinished struct {
	path string
	base string // the commit that the last tree is of

	old   *bufio.Reader // what an earlier run has left; nil: nothing more
	left  int64         // bytes of it
	close func() error
	ahead *CapturedEntry // read and not passed yet

	mu        sync.Mutex
	file      *os.File // beside path, until it has what the earlier run had
	out       *bufio.Writer
	exhausted bool // nothing more comes of the earlier run
	inPlace   bool
	failed    bool
	atStake   int // entries captured by this run since the last checkpoint
	cut       bool
	later     []*CapturedEntry // since the cut
}

// CapturedEntry is a captured entry, with the names and lengths of its content's chunks.
type CapturedEntry struct {
	Entry  entry.Entry     `cbor:"e"`
	Chunks []CapturedChunk `cbor:"c"`
	At     int64           `cbor:"t"` // when reading it began, or before: seconds since 1970
}

// CapturedChunk names a chunk. The index tells where it is.
type CapturedChunk struct {
	_      struct{} `cbor:",toarray"`
	ID     archive.ID
	Length uint32
}

// unfinishedRecord is a record of the file: the head, an entry, or a checkpoint.
type unfinishedRecord struct {
	Version int            `cbor:"v,omitempty"`
	Base    string         `cbor:"b,omitempty"`
	Mark    string         `cbor:"m,omitempty"`
	Entry   *CapturedEntry `cbor:"e,omitempty"`
}

const (
	unfinishedFolder  = "unfinished/"
	unfinishedVersion = 1
	// abandoned is the age at which what an interrupted backup has left is deleted.
	abandoned    = 7 * 24 * time.Hour
	largestEntry = 1 << 30
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	rawText, _ = cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid, MaxArrayElements: 1 << 27}.DecMode() // names are bytes
)

// OpenUnfinished opens what is recorded of a source. of names the thing that is backed up and the
// source in it. last is the backup on which this one builds, nil for none.
func (s *Session) OpenUnfinished(of string, last *Last) *Unfinished {
	u := &Unfinished{path: s.repo.Cache.Path(unfinishedFolder + hash([]byte(of))), close: func() error { return nil }}
	if last != nil {
		u.base = last.Commit
	}
	if u.path == "" {
		u.failed = true
		return u
	}
	s.repo.Cache.forgetAbandoned()
	u.exhausted = !u.openOld(func(mark string) bool {
		rec := s.Log.findHex(mark)
		return len(s.RolledBack) == 0 && rec != nil && rec.Kind == Checkpoint && rec.Domain == uint64(s.writer.DomainNumber)
	})
	return u
}

// forgetAbandoned deletes what no backup has continued for a long time.
func (c *Cache) forgetAbandoned() {
	all, err := os.ReadDir(c.Path(unfinishedFolder))
	if err != nil {
		return
	}
	for _, e := range all {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			c.Remove(unfinishedFolder + e.Name())
		}
	}
}

// openOld finds how much of the earlier run's file is bound to live checkpoints. It returns false
// if nothing is.
func (u *Unfinished) openOld(live func(mark string) bool) bool {
	file, err := os.Open(u.path)
	if err != nil {
		return false
	}
	in, at := bufio.NewReaderSize(file, 1<<20), int64(0)
	for {
		rec, n, err := readUnfinished(in)
		if err != nil || at == 0 && (rec.Version != unfinishedVersion || rec.Base != u.base) {
			break
		}
		at += n
		if rec.Mark != "" {
			if !live(rec.Mark) {
				break
			}
			u.left = at
		}
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil || u.left == 0 {
		file.Close()
		return false
	}
	in.Reset(file)
	u.old, u.close = in, file.Close
	return true
}

// readUnfinished reads a record and returns its size in bytes.
func readUnfinished(in io.Reader) (rec unfinishedRecord, size int64, _ error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return rec, 0, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > largestEntry {
		return rec, 0, io.ErrUnexpectedEOF
	}
	body, err := io.ReadAll(io.LimitReader(in, int64(n)))
	if err != nil || len(body) != int(n) || crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return rec, 0, errors.Join(io.ErrUnexpectedEOF, err)
	}
	return rec, int64(len(head) + len(body)), rawText.Unmarshal(body, &rec)
}

// Find returns what an earlier run has captured at a path, nil if nothing. Callers must ask for
// paths in the order of entry.ComparePaths.
func (u *Unfinished) Find(path string) *CapturedEntry {
	for u.old != nil {
		if u.ahead == nil && !u.advance() {
			break
		}
		switch c := entry.ComparePaths(u.ahead.Entry.Path, path); {
		case c > 0:
			return nil
		case c == 0:
			found := u.ahead
			u.ahead = nil
			return found
		}
		u.ahead = nil
	}
	return nil
}

// advance reads the next entry.
func (u *Unfinished) advance() bool {
	for u.left > 0 {
		rec, n, err := readUnfinished(u.old)
		if err != nil {
			break
		}
		u.left -= n
		if u.ahead = rec.Entry; rec.Entry != nil {
			return true
		}
	}
	u.Exhaust()
	return false
}

// Exhaust says that the walk is over and Find will not be called again.
func (u *Unfinished) Exhaust() {
	u.old, u.ahead = nil, nil
	u.mu.Lock()
	defer u.mu.Unlock()
	u.exhausted = true
}

// Add records a captured entry. again says that an earlier run has captured it.
func (u *Unfinished) Add(e *CapturedEntry, again bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !again {
		u.atStake++
	}
	if u.cut {
		u.later = append(u.later, e)
		return
	}
	u.write(unfinishedRecord{Entry: e})
}

// write adds a record. The caller must hold the lock.
func (u *Unfinished) write(rec unfinishedRecord) {
	if u.failed {
		return
	}
	if u.file == nil && !u.create() {
		return
	}
	body, err := cbor.Marshal(rec)
	if err == nil {
		head := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
		head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(body, castagnoli))
		_, _ = u.out.Write(head)
		_, err = u.out.Write(body)
	}
	u.failed = u.failed || err != nil
}

func (u *Unfinished) create() bool {
	err := os.MkdirAll(filepath.Dir(u.path), 0o700)
	if err == nil {
		u.file, err = os.OpenFile(u.next(), os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err == nil {
		var own bool
		if own, err = disk.TryLock(u.file); err == nil && !own {
			err = os.ErrExist // another process does the same
		}
	}
	if err == nil {
		err = u.file.Truncate(0)
	}
	if err != nil {
		if u.file != nil {
			u.file.Close()
			u.file = nil
		}
		u.failed = true
		return false
	}
	u.out = bufio.NewWriterSize(u.file, 256<<10)
	u.write(unfinishedRecord{Version: unfinishedVersion, Base: u.base})
	return !u.failed
}

func (u *Unfinished) next() string { return u.path + ".next" }

// Cut is called before a checkpoint: the next Mark covers the entries added so far.
func (u *Unfinished) Cut() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.writeLater()
	u.cut, u.atStake = true, 0
}

// writeLater adds the entries that wait for a mark. The caller must hold the lock.
func (u *Unfinished) writeLater() {
	for _, e := range u.later {
		u.write(unfinishedRecord{Entry: e})
	}
	u.later = nil
}

// Mark binds the entries added before the cut to a checkpoint. When this run has passed everything
// of the earlier one, its file replaces the earlier file.
func (u *Unfinished) Mark(checkpoint archive.Name) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil || u.failed {
		return
	}
	u.write(unfinishedRecord{Mark: checkpoint.String()})
	defer func() {
		u.cut = false
		u.writeLater()
	}()
	if u.out.Flush() != nil {
		u.failed = true
	}
	if !u.failed && u.exhausted && !u.inPlace {
		u.inPlace = os.Rename(u.next(), u.path) == nil
	}
}

// AtStake returns how many entries this run has captured since the last cut.
func (u *Unfinished) AtStake() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.atStake
}

// Close closes the file. done says that there is a commit, so that nobody needs the file any more.
func (u *Unfinished) Close(done bool) {
	_ = u.close()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file != nil {
		if !u.inPlace {
			os.Remove(u.next())
		}
		u.file.Close()
		u.file, u.failed = nil, true
	}
	if done && u.path != "" {
		os.Remove(u.path)
	}
}

// LastCheckpoint returns the hash of the session's last checkpoint; false if there is none.
func (s *Session) LastCheckpoint() (archive.Name, bool) {
	return s.published, s.published != archive.Name{}
}

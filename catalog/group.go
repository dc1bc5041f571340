package catalog

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/packstone/packstone/crypto"
)

// markSize is how many bytes of a keyed hash name a group or a run.
const markSize = 16

// groupOf names the snapshots that replace each other in time: those of one set, or of the same paths, on one host. It is
// a keyed hash, so that a collector can apply retention without reading names.
func groupOf(key *crypto.IDKey, s *Snapshot) string {
	words := []string{"group", s.Set, s.Host}
	if s.Set == "" {
		paths := s.paths()
		slices.Sort(paths)
		words = append(words, paths...)
	}
	return mark(key, words)
}

// runOf names one run of a backup: what it takes and when it began.
func runOf(key *crypto.IDKey, set string, sources []string, started time.Time) string {
	words := append([]string{"run", set, started.UTC().Format(time.RFC3339Nano)}, sources...)
	return mark(key, words)
}

// mark is the keyed hash of words, each with its length before it.
func mark(key *crypto.IDKey, words []string) string {
	var text []byte
	for _, word := range words {
		text = append(binary.AppendUvarint(text, uint64(len(word))), word...)
	}
	sum := key.Sum(text)
	return hex.EncodeToString(sum[:markSize])
}

package catalog

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/packstone/packstone/crypto"
)

// markSize is how many bytes of a keyed hash name a group or a run.
const markSize = 16

// groupOf returns the name of the group of snapshots that replace each other over time: those of
// one host and one set, or the same paths or command. It is a keyed hash, so that a collector can
// apply retention without reading names.
func groupOf(key *crypto.IDKey, s *Snapshot) string {
	words := []string{"group", s.Set, s.Host}
	if s.Set == "" {
		what := s.what()
		slices.Sort(what)
		words = append(words, what...)
	}
	return mark(key, words)
}

// CountOf returns how many snapshots of a set of a host count, as their commits say in the clear. It is
// not known where a key is not at hand, or a commit of the first version does not say so.
func (r *Repository) CountOf(log *Log, set, host string) (n int, known bool) {
	groups := map[uint64]string{} // by domain
	for _, rec := range log.commits(func(f *Fate) bool { return f.Gone(log.now).IsZero() }) {
		group := groups[rec.Domain]
		if group == "" {
			domain, err := r.Domain(rec.Domain)
			if err != nil {
				return 0, false
			}
			group = groupOf(domain.GroupKey(), &Snapshot{Set: set, Host: host})
			groups[rec.Domain] = group
		}
		switch rec.Group {
		case "":
			return 0, false
		case group:
			n++
		}
	}
	return n, true
}

// Misstated returns where the clear part of a commit, which collectors use, contradicts the sealed
// part. Commits of the first version have no such clear part.
func (r *Repository) Misstated(rec *Record, s *Snapshot) (lies []error) {
	domain, err := r.Domain(rec.Domain)
	if rec.Group == "" || err != nil {
		return nil
	}
	if rec.Group != groupOf(domain.GroupKey(), s) {
		lies = append(lies, errors.New("it is said to be of a group that is not that of its set, host and paths"))
	}
	if rec.Complete != s.Complete() {
		lies = append(lies, fmt.Errorf("complete is said to be %v, but is %v", rec.Complete, s.Complete()))
	}
	if rec.Marked != s.Marked() {
		lies = append(lies, fmt.Errorf("marked by a tripwire is said to be %v, but is %v", rec.Marked, s.Marked()))
	}
	if !s.Claimed.Equal(s.Started) && !s.Claimed.Equal(rec.Time) {
		lies = append(lies, fmt.Errorf("it is said to be of %s, and of %s under seal", rec.Time.Format(time.RFC3339), s.Claimed.Format(time.RFC3339)))
	}
	if rec.Origin != s.Origin.mark(domain.GroupKey()) {
		lies = append(lies, errors.New("it is said to hold the same as a snapshot of another repository that it does not name under seal"))
	}
	return lies
}

// runOf returns the name of one run of a backup, made from what it backs up and when it began.
func runOf(key *crypto.IDKey, set string, sources []string, started time.Time) string {
	words := append([]string{"run", set, started.UTC().Format(time.RFC3339Nano)}, sources...)
	return mark(key, words)
}

// mark returns the keyed hash of words, each preceded by its length.
func mark(key *crypto.IDKey, words []string) string {
	var text []byte
	for _, word := range words {
		text = append(binary.AppendUvarint(text, uint64(len(word))), word...)
	}
	sum := key.Sum(text)
	return hex.EncodeToString(sum[:markSize])
}

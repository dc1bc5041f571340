package mysql

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxName is the longest identifier, in characters.
const maxName = 64

// names hands out identifiers that the server takes and that do not collide.
type names struct {
	limit int
	fold  bool // names that differ in case collide
	taken map[string]bool
}

// newNames begins a set of names; mode i ignores case.
func newNames(limit int, mode rune) *names {
	return &names{limit: limit, fold: mode == 'i', taken: map[string]bool{}}
}

// unique returns the name if it is legal and free, else one near it.
func (n *names) unique(name string) string {
	legal := n.legal(name)
	for i := 2; n.taken[n.key(legal)]; i++ {
		suffix := fmt.Sprintf("__%d", i)
		legal = cutRunes(n.legal(name), n.limit-len(suffix)) + suffix
	}
	n.taken[n.key(legal)] = true
	return legal
}

func (n *names) key(name string) string {
	if n.fold {
		return strings.ToLower(name)
	}
	return name
}

// legal removes what no identifier may hold and shortens what is too long; a
// hash of the whole name keeps long names apart.
func (n *names) legal(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r == 0 || r > 0xffff || r == utf8.RuneError {
			return '_'
		}
		return r
	}, name)
	clean = strings.TrimRight(clean, " ")
	if clean != "" && utf8.RuneCountInString(clean) <= n.limit {
		return clean
	}
	sum := sha256.Sum256([]byte(name))
	return cutRunes(clean, n.limit-9) + "_" + hex.EncodeToString(sum[:4])
}

func cutRunes(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

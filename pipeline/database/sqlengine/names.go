package sqlengine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// NameRules are an engine's rules for identifiers.
type NameRules struct {
	// Max is the longest name, in what Length counts; nil counts bytes.
	Max    int
	Length func(string) int
	// Forbidden characters cannot be quoted.
	Forbidden string
	// Fold says that names which differ only in case collide.
	Fold bool
}

// Names hands out identifiers that an engine takes and that do not collide.
type Names struct {
	rules NameRules
	taken map[string]bool
}

// NewNames begins an empty set of names.
func NewNames(rules NameRules) *Names { return &Names{rules: rules, taken: map[string]bool{}} }

// Unique returns the name where it is legal and free, else one near it.
func (n *Names) Unique(name string) string {
	legal := n.rules.Legal(name)
	for i := 2; n.taken[n.key(legal)]; i++ {
		suffix := fmt.Sprintf("__%d", i)
		legal = n.rules.cut(n.rules.Legal(name), n.rules.Max-len(suffix)) + suffix
	}
	n.taken[n.key(legal)] = true
	return legal
}

func (n *Names) key(name string) string {
	if n.rules.Fold {
		return strings.ToLower(name)
	}
	return name
}

// Legal replaces what no identifier may hold and shortens what is too long; a
// hash of the whole name keeps long names apart.
func (r NameRules) Legal(name string) string {
	clean := strings.Map(func(c rune) rune {
		if c == 0 || c == utf8.RuneError || strings.ContainsRune(r.Forbidden, c) {
			return '_'
		}
		return c
	}, name)
	if clean != "" && r.length(clean) <= r.Max {
		return clean
	}
	sum := sha256.Sum256([]byte(name))
	return r.cut(clean, r.Max-9) + "_" + hex.EncodeToString(sum[:4])
}

func (r NameRules) length(name string) int {
	if r.Length != nil {
		return r.Length(name)
	}
	return len(name)
}

// cut keeps whole characters up to a length.
func (r NameRules) cut(name string, limit int) string {
	for r.length(name) > limit && name != "" {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

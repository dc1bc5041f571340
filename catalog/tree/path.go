package tree

import (
	"cmp"
	"math/bits"
	"strings"
)

// compare is entry.ComparePaths, eight bytes at a time.
func compare(a, b string) int {
	i := commonPrefix(a, b)
	if i == len(a) || i == len(b) {
		return cmp.Compare(len(a), len(b))
	}
	return compareBytes(a[i], b[i])
}

// compareBytes orders two different bytes of paths.
func compareBytes(x, y byte) int {
	if x == '/' {
		return -1
	}
	if y == '/' {
		return 1
	}
	return cmp.Compare(x, y)
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := load64(a[i:i+8]) ^ load64(b[i:i+8]); x != 0 {
			return i + bits.TrailingZeros64(x)>>3
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// below reports whether path is somewhere under dir. All paths but "" are under "".
func below(dir, path string) bool {
	if dir == "" {
		return path != ""
	}
	return len(path) > len(dir) && path[len(dir)] == '/' && strings.HasPrefix(path, dir)
}

// bound is a position in a tree: before a path, or after a path and everything below it.
type bound struct {
	path  string
	after bool
}

// passes reports whether the position comes after path.
func (b bound) passes(path string) bool {
	if b.after {
		return path == b.path || below(b.path, path) || compare(path, b.path) < 0
	}
	return compare(path, b.path) < 0
}

// isPlain reports whether no name in a path is empty, ".", ".." or holds a zero byte. The first
// good bytes are known to be plain.
func isPlain(path string, good int) bool {
	for start := strings.LastIndexByte(path[:good], '/') + 1; path != ""; {
		name, _, more := strings.Cut(path[start:], "/")
		if name == "" || name == "." || name == ".." || strings.IndexByte(name, 0) >= 0 {
			return false
		}
		if !more {
			break
		}
		start += len(name) + 1
	}
	return true
}

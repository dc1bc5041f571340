package store

import "strings"

const (
	maxName    = 512 // bytes; S3 allows 1024 with the repository's own prefix
	maxSegment = 128 // bytes; common file systems allow 255
)

// ValidName reports whether name may name an object: slash-separated segments of [0-9a-zA-Z._-],
// none of them empty, "." or "..", at most 512 bytes in all and 128 in one segment. The first
// segment is never "tmp", where adapters keep what is not finished.
func ValidName(name string) bool {
	if name == "" || len(name) > maxName || name == "tmp" || strings.HasPrefix(name, "tmp/") {
		return false
	}
	for segment := range strings.SplitSeq(name, "/") {
		if !validSegment(segment) {
			return false
		}
	}
	return true
}

func validSegment(segment string) bool {
	if segment == "" || segment == "." || segment == ".." || len(segment) > maxSegment {
		return false
	}
	for i := range len(segment) {
		if !validByte(segment[i]) {
			return false
		}
	}
	return true
}

func validByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '.' || c == '_' || c == '-'
}

// Clip returns the range that a Get with this offset and length reads of an object of this size: n
// bytes from from, with 0 ≤ from ≤ from+n ≤ size.
func Clip(offset, length, size int64) (from, n int64) {
	if offset < 0 {
		offset = max(0, size+offset)
	}
	from = min(offset, size)
	n = size - from
	if length >= 0 {
		n = min(n, length)
	}
	return from, n
}

package bucket

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// sortByKey sorts by key, and leaves the versions of one key in the order in which they came, the
// newest first.
func sortByKey(objects []Object) {
	slices.SortStableFunc(objects, func(a, b Object) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		if a.Latest != b.Latest {
			return boolOrder(b.Latest)
		}
		return b.Modified.Compare(a.Modified)
	})
}

func boolOrder(second bool) int {
	if second {
		return 1
	}
	return -1
}

// objectOf returns the object that an answer's headers describe.
func objectOf(key string, size int64, h http.Header) Object {
	o := Object{Key: key, Size: size, ETag: unquote(h.Get("ETag")), Version: h.Get("X-Amz-Version-Id"), Header: stored(h),
		Range: h.Get("Content-Range"), Standing: standingOf(h), SHA256: sumOf(h)}
	if at, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		o.Modified = at
	}
	if n, err := strconv.Atoi(h.Get("X-Amz-Tagging-Count")); err == nil {
		o.Tags = n
	}
	return o
}

// sumOf returns the hash of the whole object. That of an object that was stored in parts is one of
// the parts' hashes; it ends in their number, so that it is no hash.
func sumOf(h http.Header) []byte {
	sum, err := base64.StdEncoding.DecodeString(h.Get(checksumHeader))
	if err != nil || len(sum) != sha256.Size || h.Get("X-Amz-Checksum-Type") == "COMPOSITE" {
		return nil
	}
	return sum
}

func unquote(etag string) string { return strings.Trim(etag, `"`) }

// quoted returns an ETag as it is written in a header.
func quoted(etag string) string { return `"` + etag + `"` }

// rangeOf returns the header Range for the offset and length of a Get, empty for the whole object.
func rangeOf(offset, length int64) string {
	switch {
	case offset < 0:
		return "bytes=" + strconv.FormatInt(offset, 10)
	case length >= 0 && length <= math.MaxInt64-offset:
		return fmt.Sprintf("bytes=%d-%d", offset, offset+max(length, 1)-1)
	case offset > 0:
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return ""
}

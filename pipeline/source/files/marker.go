package files

import (
	"strings"

	"github.com/packstone/packstone/pipeline/local"
	"golang.org/x/sys/unix"
)

// marker is a file whose presence excludes the other content of its directory.
type marker struct {
	name string
	text string // that it begins with
}

// cacheSignature is the beginning of a CACHEDIR.TAG, by its specification.
const cacheSignature = "Signature: 8a477f597d28d172789f06886806bc55"

func markers(options Options) []marker {
	var list []marker
	if options.ExcludeCaches {
		list = append(list, marker{"CACHEDIR.TAG", cacheSignature})
	}
	for _, s := range options.ExcludeIfPresent {
		name, text, _ := strings.Cut(s, ":")
		list = append(list, marker{name, text})
	}
	return list
}

// marker returns the name of the marker that is in dir, or "".
func (s *Source) marker(dir *local.Dir, names *local.Listing) string {
	for _, m := range s.present {
		if names.Has(m.name) && m.isIn(dir) {
			return m.name
		}
	}
	return ""
}

func (m marker) isIn(dir *local.Dir) bool {
	if m.text == "" {
		return true
	}
	fd, err := dir.OpenFile(m.name, unix.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	head := make([]byte, len(m.text))
	n, err := unix.Read(fd, head)
	return err == nil && string(head[:n]) == m.text
}

package ftp

import (
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/pipeline/remote/ftp"
)

// freshMark precedes, in the identity of a file that changed lately, the moment at which it was listed: so the identity is like no other.
const freshMark = ";seen="

// identity is what tells this version of a file from others. Equal ones mean equal content as far as the server can say.
func (s *Source) identity(f *ftp.Entry, now time.Time) string {
	id := version(f)
	if s.isFresh(f, now) {
		id += freshMark + strconv.FormatInt(now.UnixNano(), 10)
	}
	return id
}

func version(f *ftp.Entry) string {
	var b strings.Builder
	b.WriteString("size=" + strconv.FormatInt(f.Size, 10))
	if !f.Modify.IsZero() {
		b.WriteString(";modify=" + f.Modify.UTC().Format("20060102150405.999999999"))
	}
	if f.Unique != "" {
		b.WriteString(";unique=" + f.Unique)
	}
	return b.String()
}

// isFresh tells whether a file may change, or be changing, without another time: its time is now, as far as clocks agree, or unknown.
func (s *Source) isFresh(f *ftp.Entry, now time.Time) bool {
	return f.Modify.IsZero() || f.Modify.Add(f.Precision+s.options.Fresh).After(now)
}

// splitIdentity returns the version and when it was listed, if it was fresh then.
func splitIdentity(id string) (string, time.Time) {
	base, seen, fresh := strings.Cut(id, freshMark)
	if !fresh {
		return id, time.Time{}
	}
	ns, err := strconv.ParseInt(seen, 10, 64)
	if err != nil {
		return base, time.Time{}
	}
	return base, time.Unix(0, ns)
}

//go:build !unix

package sqlite

import "github.com/packstone/packstone/pipeline/database"

// withBytes calls f with all of a long value.
func withBytes(l *database.Long, f func([]byte) error) error {
	p, err := l.Bytes()
	if err != nil {
		return err
	}
	return f(p)
}

package catalog

import (
	"context"
	"testing"
)

// DetachedHeaders returns the headers for recipients that were added later, by pack and record.
func (r *Repository) DetachedHeaders(ctx context.Context) (map[string][]byte, error) {
	return r.headers(ctx)
}

// SetHeadersPerObject changes how many headers an object has, until the test ends.
func SetHeadersPerObject(t testing.TB, n int) {
	was := headersPerObject
	headersPerObject = n
	t.Cleanup(func() { headersPerObject = was })
}

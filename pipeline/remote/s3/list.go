package s3

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

// listing is a part of a bucket's keys, in the server's order, each key once.
type listing struct {
	bucket    *Bucket
	prefix    string
	after     string    // exclusive
	last      string    // inclusive; empty: to the end of the prefix
	delimited bool      // prefixes too, which stand where they like; after a failure it begins anew
	before    time.Time // of versions, those are meant that were there before; zero: the bucket as it is
}

// all iterates over the listing. After a temporary failure it continues after the last complete
// key.
func (l listing) all(ctx context.Context) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		stopped := false
		err := l.bucket.do(ctx, "list", "", func() error {
			begun := l.after
			err := l.try(ctx, func(o Object) bool {
				if !l.delimited {
					l.after = o.Key
				}
				stopped = !yield(o, nil)
				return !stopped
			})
			if err != nil && l.after != begun {
				return retry.Progress(err)
			}
			return err
		})
		if err != nil && !stopped {
			yield(Object{}, err)
		}
	}
}

// try lists from after on and yields each key once.
func (l listing) try(ctx context.Context, yield func(Object) bool) error {
	g := bucket.Chooser{Before: l.before, Yield: yield}
	seen := ""
	for o, err := range l.bucket.client.List(ctx, bucket.Query{Prefix: l.prefix, After: l.after, Delimited: l.delimited, Versions: !l.before.IsZero()}) {
		if err != nil {
			return err
		}
		if o.Key <= l.after && l.after != "" || !strings.HasPrefix(o.Key, l.prefix) {
			continue // of a prefix that was there already
		}
		if o.Key < seen && !l.delimited {
			return fmt.Errorf("the server lists %q after %q, out of order: %w", o.Key, seen, store.ErrInvalid)
		}
		seen = o.Key
		if l.last != "" && o.Key > l.last {
			break
		}
		if !g.Add(o) {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	g.End()
	return nil
}

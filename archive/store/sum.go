package store

import "context"

// Summer is what an adapter implements besides Store if its storage tells the SHA-256 hash of an
// object without sending the object. It is safe for concurrent use.
type Summer interface {
	// Sum returns the hash that the storage has computed of the bytes when they were stored. It
	// returns false if the storage keeps none of the object, and fails with ErrNotExist if there is
	// no object. The bytes are not read again: it shows whether another object has taken the place of
	// the one that was put, not whether the storage has lost bits.
	Sum(ctx context.Context, name string) (sum Digest, known bool, err error)
}

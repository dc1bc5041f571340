package bucket

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/packstone/packstone/archive/store"
)

func (d *minioDialect) lockRule(ctx context.Context) (mode store.LockMode, period time.Duration, on bool, err error) {
	enabled, m, validity, unit, err := d.core.GetObjectLockConfig(ctx, d.bucket)
	if err != nil {
		return "", 0, false, err
	}
	if m != nil && validity != nil && unit != nil {
		mode, period = store.LockMode(*m), time.Duration(*validity)*day
		if *unit == minio.Years {
			period *= 365
		}
	}
	return mode, period, enabled == minio.Enabled, nil
}

func (d *minioDialect) lock(ctx context.Context, r Ref) (lock store.Lock, err error) {
	mode, until, err := d.core.GetObjectRetention(context.WithValue(ctx, retentionKey{}, true), d.bucket, r.Key, r.Version)
	if err == nil && mode != nil && until != nil {
		lock = store.Lock{Mode: store.LockMode(*mode), Until: *until}
	}
	return lock, err
}

func (d *minioDialect) setLock(ctx context.Context, r Ref, to store.Lock, bypass bool) error {
	mode := minio.RetentionMode(to.Mode)
	return d.core.PutObjectRetention(ctx, d.bucket, r.Key,
		minio.PutObjectRetentionOptions{GovernanceBypass: bypass, Mode: &mode, RetainUntilDate: &to.Until, VersionID: r.Version})
}

func (d *minioDialect) removeVersion(ctx context.Context, r Ref) error {
	return d.core.RemoveObject(ctx, d.bucket, r.Key, minio.RemoveObjectOptions{GovernanceBypass: true, VersionID: r.Version})
}

// retentionKey is the context key of requests for the lock of an object.
type retentionKey struct{}

// renameRetention gives the answer to such a request the root element that minio-go wants:
// versitygw calls it otherwise.
func renameRetention(r *http.Request, answer *http.Response) {
	if r.Context().Value(retentionKey{}) == nil || answer.StatusCode != http.StatusOK {
		return
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxError))
	if err != nil {
		return // what was read is missing: the answer is no XML, which is told
	}
	text = bytes.ReplaceAll(text, []byte("ObjectLockRetention"), []byte("Retention"))
	answer.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(text), answer.Body}
}

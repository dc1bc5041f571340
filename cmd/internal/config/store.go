package config

import (
	"context"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/archive/store/hedge"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/archive/store/limit"
	"github.com/packstone/packstone/archive/store/localdir"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/s3"
	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/archive/store/sftp"
)

// StoreOptions determine how to access storage. The zero value has no limits and, for Minio, no
// keys.
type StoreOptions struct {
	Create           bool  // make a directory that is not there; a bucket is never made
	Upload, Download int64 // bytes a second, 0: no limit
	// Bandwidth returns further limits, which may change with time; the lower limit counts. nil
	// means that there are none.
	Bandwidth   func() (upload, download int64)
	Connections int // requests in flight; 0: as the link wants

	Login  BucketLogin // for Minio; for S3 the AWS SDK finds what Login.Keys does not give
	Remote RemoteLogin // for SFTP

	Classes Classes // of what is put into a bucket

	// VersionsAt opens a bucket with versions as of that time, to be read only; zero opens it as it is.
	VersionsAt time.Time

	GiveUp   time.Duration     // how long what fails is tried again; 0: a minute, less: never
	Reach    time.Duration     // the same before the storage has answered once; 0: GiveUp
	Retrying func(retry.Event) // told of each failure that is about to be tried again
	Answered func()            // told when the storage answers after that

	Through func(store.Store) store.Store // nil, or what every call of the storage goes through: tests hold and count them there
}

// Storage is an open store that retries passing failures, keeps to the limits and counts.
type Storage struct {
	store.Store
	Counts  *count.Store
	Adapter store.Store // without all that, for proving the store's contract
	Classes Classes     // of what is put
	Uploads int         // how many packs in memory are worth having on their way at once
	limiter *inflight.Limiter
	retries *retry.Store
}

// Overwrite implements store.Overwriter.
func (s *Storage) Overwrite(ctx context.Context, name string, data []byte) error {
	return store.Overwrite(ctx, s.Store, name, data)
}

// InFlight returns what limits the requests in flight, nil for a directory without a limit.
func (s *Storage) InFlight() *inflight.Limiter { return s.limiter }

// Locker returns what locks objects, with the retries and the limit of the storage. It returns nil
// if the storage can't lock objects.
func (s *Storage) Locker() store.Locker {
	locks, ok := s.Adapter.(store.Locker)
	if !ok {
		return nil
	}
	if s.limiter != nil {
		locks = s.limiter.Locker(locks)
	}
	return s.retries.Locker(locks)
}

// Archiver returns what thaws objects, with the retries of the storage. It returns nil if the
// storage has no classes.
func (s *Storage) Archiver() store.Archiver {
	if a, ok := s.Adapter.(store.Archiver); ok {
		return s.retries.Archiver(a)
	}
	return nil
}

// Summer returns what tells checksums of objects, with the retries of the storage. It returns nil if
// the storage tells none.
func (s *Storage) Summer() store.Summer {
	if to, ok := s.Adapter.(store.Summer); ok {
		return s.retries.Summer(to)
	}
	return nil
}

// KeepReserve sets some room aside for deleting on a full disk, if the storage is a directory. A
// lack of room is not an error.
func (s *Storage) KeepReserve(ctx context.Context) {
	if dir, ok := s.Adapter.(*localdir.Store); ok {
		_ = dir.KeepReserve(ctx)
	}
}

// UseReserve allows later writes to use that room. It is for callers that are about to delete.
func (s *Storage) UseReserve() {
	if dir, ok := s.Adapter.(*localdir.Store); ok {
		dir.UseReserve()
	}
}

// Open opens the repository's storage. It does not check whether there is a repository.
func (r Repository) Open(ctx context.Context, opts StoreOptions) (*Storage, error) {
	limits, err := limit.New(limit.Options{Upload: opts.Upload, Download: opts.Download, Now: opts.Bandwidth})
	if err != nil {
		return nil, err
	}
	adapter, err := r.adapter(ctx, opts, limits)
	if err != nil {
		return nil, err
	}
	calls := adapter
	if opts.Through != nil {
		calls = opts.Through(adapter)
	}
	counts, limiter := count.New(calls), r.limiter(opts.Connections)
	s := store.Store(counts)
	if r.IsBucket() && opts.Connections == 0 {
		s = hedge.New(s) // inside of the limit, so that what waits for its turn is not taken for slow
	}
	if limiter != nil {
		s = limiter.Store(s)
	}
	if !r.IsBucket() { // there is no transport to put the limits into
		s = limits.Store(s)
	}
	told := func(e retry.Event) {
		counts.Retry()
		if opts.Retrying != nil {
			opts.Retrying(e)
		}
	}
	retrying := retry.New(s, retry.Options{Total: opts.GiveUp, Reach: opts.Reach, Retrying: told, Answered: opts.Answered})
	return &Storage{Store: retrying, Counts: counts, Adapter: adapter, Classes: opts.Classes, Uploads: r.uploads(), limiter: limiter, retries: retrying}, nil
}

// limiter returns the limit of requests in flight. A directory has none.
func (r Repository) limiter(connections int) *inflight.Limiter {
	switch {
	case connections > 0:
		return inflight.Fixed(connections)
	case r.Kind == Local:
		return nil
	}
	return inflight.Adaptive(inflight.Most, inflight.IsRefusal)
}

// uploads returns how many packs in memory are sent at once: one if the storage is near, since the
// next pack is filled meanwhile. Further packs wait in files.
func (r Repository) uploads() int {
	if r.Kind == Local {
		return 1
	}
	return farUploads
}

// farUploads is how many packs in memory are sent at once to distant storage.
const farUploads = 4

func (r Repository) adapter(ctx context.Context, opts StoreOptions, limits *limit.Limits) (store.Store, error) {
	switch {
	case r.Kind == S3:
		login, err := opts.Login.keysAlone(limits)
		if err != nil {
			return nil, err
		}
		return r.openBucket(ctx, login, opts)
	case r.Kind == Minio:
		login, err := opts.Login.options(true, limits)
		if err != nil {
			return nil, err
		}
		return r.openBucket(ctx, login, opts)
	case !opts.VersionsAt.IsZero():
		return nil, fmt.Errorf("%s is no bucket, and has no versions of its objects that could be read: %w", r, store.ErrNoVersions)
	case r.Kind == SFTP:
		return opened(r.openSFTP(opts))
	case opts.Create:
		return opened(localdir.Create(r.Path))
	}
	return opened(localdir.Open(r.Path))
}

// openBucket opens a bucket, as it is or as of a time.
func (r Repository) openBucket(ctx context.Context, login bucket.Options, opts StoreOptions) (store.Store, error) {
	s, err := s3.Open(ctx, r.bucket(), login)
	if err != nil {
		return nil, err
	}
	s.PutAs(opts.Classes.Of)
	if opts.VersionsAt.IsZero() {
		return s, nil
	}
	return s.AsOf(opts.VersionsAt), nil
}

// sshConnections is how many connections to use: a server handles one request at a time on each,
// and waits for its disk meanwhile.
const sshConnections = 4

// openSFTP does not connect. A server that is away is retried like any storage, so the connections
// need no patience of their own.
func (r Repository) openSFTP(opts StoreOptions) (*sftp.Store, error) {
	login := opts.Remote
	login.Connections, login.Patience = sshConnections, time.Millisecond
	server, err := r.Remote.sftpServer(login)
	if err != nil {
		return nil, err
	}
	return sftp.New(server.Sessions(), sftp.Options{Directory: r.Remote.Path, Location: r.Remote.String(), Create: opts.Create}), nil
}

// opened prevents the nil pointer of a failed Open from becoming a store that is not nil.
func opened[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

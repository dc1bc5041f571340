package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// Runs lists the index runs that records of the log name.
func (r *Repository) Runs(log *Log) []archive.Name { return r.runNames(log, nil) }

// CheckObjects checks the objects that no other part of a check reads in full: sessions, domains,
// detached headers and decisions of collectors. It returns what is wrong, by the object's name. It
// ignores names that no object of a repository has: file managers and servers leave files of their
// own.
func (r *Repository) CheckObjects(ctx context.Context) (map[string]error, error) {
	c := objectCheck{repo: r, problems: map[string]error{}}
	var gctx context.Context
	c.objects, gctx = errgroup.WithContext(ctx)
	c.objects.SetLimit(fetches)
	var listings errgroup.Group
	for _, prefix := range []string{"sessions/", "gc/", "config/", "index/", "refs/", "roll/", "history/"} {
		listings.Go(func() error { return c.list(gctx, prefix) })
	}
	for _, name := range r.Config.named() { // whether they are there or not
		c.objects.Go(func() error { return c.check(gctx, name) })
	}
	listed := listings.Wait() // before the objects, whose Wait ends what lists
	return c.problems, cmp.Or(c.objects.Wait(), listed)
}

// objectCheck is one run of CheckObjects.
type objectCheck struct {
	repo    *Repository
	objects *errgroup.Group

	mu       sync.Mutex
	problems map[string]error
}

// list checks the objects below a prefix.
func (c *objectCheck) list(ctx context.Context, prefix string) error {
	for info, err := range c.repo.Store.List(ctx, prefix, "") {
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		if isObject(info.Name) {
			c.objects.Go(func() error { return c.check(ctx, info.Name) })
		}
	}
	return nil
}

// check records what is wrong with an object. It returns an error only if the storage does not
// answer.
func (c *objectCheck) check(ctx context.Context, name string) error {
	err := c.repo.checkObject(ctx, name)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil || errors.Is(err, store.ErrUnreachable) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems[name] = err
	return nil
}

// isObject reports whether a name has the form that names of objects have.
func isObject(name string) bool {
	kind, rest, _ := strings.Cut(name, "/")
	switch kind {
	case "sessions":
		dot := strings.LastIndexByte(rest, '.')
		_, _, ok := parseRecordName("log/" + rest[:max(0, dot)] + "/" + rest[dot+1:])
		return ok
	case "config":
		_, ok := parseSequence(rest)
		return ok
	case "gc":
		_, _, ok := parseRoundName(name)
		return ok
	case "roll":
		_, ok := parseRoll(name)
		return ok
	case "history":
		hash, err := archive.ParseName(rest)
		return err == nil && hash.String() == rest
	case "index", "refs":
		hash, err := archive.ParseName(rest[strings.LastIndexByte(rest, '/')+1:])
		return err == nil && archive.Kind(kind).Object(hash) == name
	}
	return true
}

// kindOf is the first part of an object's name.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	return kind
}

func (r *Repository) checkObject(ctx context.Context, name string) error {
	data, err := r.Store.Get(ctx, name, 0, -1, nil)
	if errors.Is(err, store.ErrNotExist) && !slices.Contains([]string{"config", "domains", "headers"}, kindOf(name)) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return err
	}
	if r.Config.Void[name] == hash(data) {
		return nil
	}
	switch kindOf(name) {
	case "sessions":
		_, _, err = crypto.Verify(r.Format.Repository, name, data, r.opener(name)...)
	case "config":
		if r.Config.supersedes(name) {
			return nil
		}
		_, _, err = crypto.Verify(r.Format.Repository, name, data, r.owner)
	case "gc", "roll":
		_, _, err = crypto.Verify(r.Format.Repository, name, data, r.deciders()...)
	case "index", "refs", "history":
		if hash(data) != name[strings.LastIndexByte(name, '/')+1:] {
			err = fmt.Errorf("its bytes do not have this hash: %w", archive.ErrDamaged)
		}
	case "domains":
		err = r.checkDomain(name, data)
	case "headers":
		if r.Config.Headers[name] != hash(data) {
			err = archive.ErrDamaged
		}
	}
	return err
}

// opener returns the keys that may have opened a session: that of the member or owner whose lane it
// is in. It returns none if the name is not that of a session.
func (r *Repository) opener(session string) []crypto.Verifier {
	rest := strings.TrimPrefix(session, "sessions/")
	dot := strings.LastIndexByte(rest, '.')
	lane, _, ok := parseRecordName("log/" + rest[:max(dot, 0)] + "/" + rest[dot+1:])
	if !ok {
		return nil
	}
	return slices.DeleteFunc(append(keys(slices.Concat(r.Config.Writers, r.Config.Collectors)), r.owner), func(v crypto.Verifier) bool {
		return v.Name() != lane.Writer
	})
}

// checkDomain checks a domain's object, which the config names.
func (r *Repository) checkDomain(object string, data []byte) (err error) {
	i := slices.IndexFunc(r.Config.Domains, func(d Domain) bool { return d.Object == object })
	switch {
	case r.Config.Domains[i].SHA256 != "" && r.Config.Domains[i].SHA256 != hash(data):
		return fmt.Errorf("it is not the one that the owner has signed: %w", archive.ErrDamaged)
	case r.CanRead():
		_, err = crypto.Open(nil, data, r.Identities()...)
	}
	return err
}

package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// headersPerObject limits an object of detached headers to a few megabytes. Tests have less.
var headersPerObject = 1000

// headerGuess is how many bytes of a pack are fetched to find its header: enough for a dozen hybrid
// recipients.
const headerGuess = 24 << 10

// detached holds headers for recipients that were added after a pack or record was sealed: by the
// pack's name or the record's hash.
type detached map[string][]byte

// header returns the detached header of a pack or record, nil if there is none. The first call
// loads all headers.
func (r *Repository) header(ctx context.Context, name archive.Name) ([]byte, error) {
	headers, err := r.headers(ctx)
	return headers[name.String()], err
}

// Reader reads packs of a domain.
func (r *Repository) Reader(domain uint64) (*archive.Reader, error) {
	d, err := r.Domain(domain)
	if err != nil {
		return nil, err
	}
	return r.readerBy(d.DataID(), d.TreeID()), nil
}

// DirectoryReader reads the directories of packs of all domains. It cannot read chunks, since it
// does not have the keys of their ids.
func (r *Repository) DirectoryReader() *archive.Reader { return r.readerBy(nil, nil) }

func (r *Repository) readerBy(data, tree *crypto.IDKey) *archive.Reader {
	return archive.NewReader(r.Store, r.Identities(), data, tree, archive.ReaderOptions{
		Header: func(ctx context.Context, _ archive.Kind, name archive.Name) ([]byte, error) {
			return r.header(ctx, name)
		},
	})
}

func (r *Repository) headers(ctx context.Context) (detached, error) {
	if err := r.detaching.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("load headers: %w", err)
	}
	defer r.detaching.Release(1)
	if r.detached != nil {
		return r.detached, nil
	}
	all := detached{}
	for object, sum := range r.Config.Headers {
		data, err := r.Cache.object(ctx, r.Store, object, hasHash(sum))
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", object, err)
		}
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, fmt.Errorf("read %s: %w", object, err)
		}
	}
	r.detached = all
	return all, nil
}

// readable returns the sealed part of a record under a header that the identities at hand open.
func (r *Repository) readable(ctx context.Context, rec *Record) ([]byte, error) {
	length, err := crypto.HeaderLength(rec.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open record %s: %w", rec.Name(), err)
	}
	_, err = crypto.OpenHeader(rec.Sealed[:length], r.Identities()...)
	if !errors.Is(err, crypto.ErrWrongIdentity) {
		return rec.Sealed, nil
	}
	header, headerErr := r.header(ctx, rec.Hash)
	if headerErr != nil || header == nil {
		return rec.Sealed, headerErr
	}
	return append(slices.Clone(header), rec.Sealed[length:]...), nil
}

// SetRecipients changes the recipients of everything written so far and from now on. It needs an
// identity that can read now, and the owner's key. Former recipients can still read what was
// written before. A writer that runs at the same time may still seal to the old recipients; a
// second call finds what it has written. An interrupted call is continued by the next one with this
// cache.
func (r *Repository) SetRecipients(ctx context.Context, owner crypto.Signer, recipients []age.Recipient) error {
	if err := crypto.CheckRecipients(recipients); err != nil {
		return err
	}
	if crypto.IsClassic(recipients[0]) != r.Config.Classic {
		return fmt.Errorf("change recipients: %w", crypto.ErrMixed)
	}
	if !r.CanRead() {
		return fmt.Errorf("change recipients: %w", ErrNoIdentity)
	}
	number := r.nextNumber()
	domains := slices.Clone(r.Config.Domains)
	for i := range domains {
		secret, err := r.Domain(domains[i].Number)
		if err != nil {
			return err
		}
		if domains[i].Object, domains[i].SHA256, err = r.storeDomain(ctx, domains[i].Number, secret, recipients); err != nil {
			return err
		}
	}
	headers, err := r.rewrap(ctx, number, recipients)
	if err != nil {
		return err
	}
	return r.Change(ctx, owner, func(c *Config) error {
		c.Recipients, c.Domains, c.Headers = nil, domains, headers
		for _, recipient := range recipients {
			text, err := crypto.RecipientText(recipient)
			if err != nil {
				return err
			}
			c.Recipients = append(c.Recipients, text)
		}
		return nil
	})
}

// eachPackHeader calls do with a header of each of these packs.
func (r *Repository) eachPackHeader(ctx context.Context, kind archive.Kind, names []archive.Name, do func(archive.Name, []byte) error) error {
	for group := range slices.Chunk(names, fetches) {
		headers := make([][]byte, len(group))
		g, gctx := errgroup.WithContext(ctx)
		for i, name := range group {
			g.Go(func() (err error) {
				headers[i], err = r.packHeader(gctx, kind, name)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, name := range group {
			if err := do(name, headers[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Repository) packHeader(ctx context.Context, kind archive.Kind, name archive.Name) ([]byte, error) {
	if header, err := r.header(ctx, name); err != nil || header != nil {
		return header, err
	}
	data, err := r.Store.Get(ctx, kind.Object(name), 0, headerGuess, nil)
	if err != nil {
		return nil, fmt.Errorf("load the header of pack %s: %w", name, err)
	}
	length, err := crypto.HeaderLength(data)
	if err != nil {
		return nil, fmt.Errorf("read the header of pack %s: %w", name, err)
	}
	return data[:length], nil
}

// storeDomain stores a domain's secret for the next config, sealed to recipients, and returns the
// object's name and SHA-256. An earlier failed try may have left an object for this config that is
// sealed to others, so the name depends on the content.
func (r *Repository) storeDomain(ctx context.Context, number uint64, domain crypto.Domain, recipients []age.Recipient) (object, sum string, err error) {
	sealed, err := r.sealDomain(number, domain, recipients)
	if err != nil {
		return "", "", err
	}
	object = domainName(number, r.nextNumber()) + "-" + hash(sealed)[:16]
	return object, hash(sealed), r.putDomain(ctx, object, sealed)
}

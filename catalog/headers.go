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
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// headersPerObject limits an object of detached headers to a few megabytes.
const headersPerObject = 1000

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
	return archive.NewReader(r.Store, r.Identities(), d.DataID(), d.TreeID(), archive.ReaderOptions{
		Header: func(ctx context.Context, _ archive.Kind, name archive.Name) ([]byte, error) {
			return r.header(ctx, name)
		},
	}), nil
}

func (r *Repository) headers(ctx context.Context) (detached, error) {
	r.headersOnce.Lock()
	defer r.headersOnce.Unlock()
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
// second call finds what it has written.
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
		sealed, err := r.sealDomain(domains[i].Number, secret, recipients)
		if err != nil {
			return err
		}
		// An earlier failed try may have left an object for this config that is sealed to others.
		domains[i].Object = domainName(domains[i].Number, number) + "-" + hash(sealed)[:16]
		domains[i].SHA256 = hash(sealed)
		if err := r.putDomain(ctx, domains[i].Object, sealed); err != nil {
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

// rewrap writes detached headers for every pack and every sealed record, which replace those of
// earlier configs. It returns the objects and their hashes.
func (r *Repository) rewrap(ctx context.Context, generation uint64, recipients []age.Recipient) (map[string]string, error) {
	w := &headerWriter{repo: r, generation: generation, batch: detached{}, written: map[string]string{}}
	err := r.eachHeader(ctx, func(name archive.Name, header []byte) error {
		next, err := crypto.Rewrap(header, r.Identities(), recipients)
		if err != nil {
			return fmt.Errorf("wrap the key of %s for other recipients: %w", name, err)
		}
		return w.add(ctx, name, next)
	})
	if err != nil {
		return nil, err
	}
	return w.written, w.flush(ctx)
}

// headerWriter gathers detached headers into objects.
type headerWriter struct {
	repo       *Repository
	generation uint64
	batch      detached
	written    map[string]string
}

func (w *headerWriter) add(ctx context.Context, name archive.Name, header []byte) error {
	w.batch[name.String()] = header
	if len(w.batch) < headersPerObject {
		return nil
	}
	return w.flush(ctx)
}

func (w *headerWriter) flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	data, err := json.Marshal(w.batch)
	if err != nil {
		return fmt.Errorf("encode headers: %w", err)
	}
	name := fmt.Sprintf("headers/%s/%s", sequence(w.generation), hash(data)[:16])
	w.written[name] = hash(data)
	w.batch = detached{}
	if err := putObject(ctx, w.repo.Store, name, data); err != nil && !errors.Is(err, store.ErrExist) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// eachHeader calls do with a header of every pack and every sealed record that the identities at
// hand open. The calls come from one goroutine.
func (r *Repository) eachHeader(ctx context.Context, do func(archive.Name, []byte) error) error {
	log, err := r.ReadLog(ctx)
	if err != nil {
		return err
	}
	for _, rec := range log.Records {
		if len(rec.Sealed) == 0 {
			continue
		}
		sealed, err := r.readable(ctx, rec)
		if err != nil {
			return err
		}
		length, err := crypto.HeaderLength(sealed)
		if err != nil {
			return fmt.Errorf("record %s: %w", rec.Name(), err)
		}
		if err := do(rec.Hash, sealed[:length]); err != nil {
			return err
		}
	}
	for _, kind := range []archive.Kind{archive.Data, archive.Trees} {
		if err := r.eachPackHeader(ctx, kind, do); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repository) eachPackHeader(ctx context.Context, kind archive.Kind, do func(archive.Name, []byte) error) error {
	var names []archive.Name
	for info, err := range r.Store.List(ctx, string(kind)+"/", "") {
		if err != nil {
			return fmt.Errorf("list %s: %w", kind, err)
		}
		if name, err := archive.ParseName(info.Name[max(0, len(info.Name)-64):]); err == nil {
			names = append(names, name)
		}
	}
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

package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// rewrap writes detached headers for every pack and every sealed record, which replace those of
// earlier configs. It returns the objects and their hashes. If an earlier call with this cache was
// interrupted, it goes on from there: nobody but this machine says what that call has written.
func (r *Repository) rewrap(ctx context.Context, generation uint64, recipients []age.Recipient) (map[string]string, error) {
	w := &headerWriter{repo: r, generation: generation, batch: detached{}, written: map[string]string{}}
	var err error
	if w.purpose, err = r.purpose(generation, recipients); err != nil {
		return nil, err
	}
	done, err := w.resume(ctx)
	if err != nil {
		return nil, err
	}
	err = r.eachHeader(ctx, func(name archive.Name) bool { return done[name.String()] }, func(name archive.Name, header []byte) error {
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

// purpose tells one change of recipients from another: the config that it makes, the one that it
// changes, and for whom.
func (r *Repository) purpose(generation uint64, recipients []age.Recipient) (string, error) {
	texts := []string{r.Format.Repository, sequence(generation), r.Config.hash}
	for _, recipient := range recipients {
		text, err := crypto.RecipientText(recipient)
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	return hash([]byte(strings.Join(texts, "\n"))), nil
}

// rewrapFile notes in the cache what an unfinished change of recipients has written.
const rewrapFile = "rewrap.json"

// rewrapNote is the content of rewrapFile.
type rewrapNote struct {
	Purpose string            `json:"purpose"`
	Objects map[string]string `json:"objects"` // with their SHA-256
}

// headerWriter gathers detached headers into objects.
type headerWriter struct {
	repo       *Repository
	generation uint64
	purpose    string
	batch      detached
	written    map[string]string
}

// resume takes over what an interrupted call with the same purpose has written, and returns the
// names of packs and records whose headers that has.
func (w *headerWriter) resume(ctx context.Context) (done map[string]bool, err error) {
	done = map[string]bool{}
	var note rewrapNote
	data, err := w.repo.Cache.Read(rewrapFile)
	if err != nil || json.Unmarshal(data, &note) != nil || note.Purpose != w.purpose {
		return done, nil // a cache says nothing, or something old
	}
	for object, sum := range note.Objects {
		data, err := w.repo.Cache.object(ctx, w.repo.Store, object, hasHash(sum))
		if errors.Is(err, store.ErrUnreachable) || ctx.Err() != nil {
			return nil, fmt.Errorf("load %s: %w", object, cmp.Or(ctx.Err(), err))
		}
		var headers detached
		if err != nil || json.Unmarshal(data, &headers) != nil {
			continue // is made anew
		}
		w.written[object] = sum
		for name := range headers {
			done[name] = true
		}
	}
	return done, nil
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
	if err := putObject(ctx, w.repo.Store, name, data); err != nil && !errors.Is(err, store.ErrExist) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	w.written[name] = hash(data)
	w.batch = detached{}
	w.note()
	return nil
}

// note remembers what was written. If that fails, an interrupted change begins anew.
func (w *headerWriter) note() {
	if data, err := json.Marshal(rewrapNote{w.purpose, w.written}); err == nil {
		_ = w.repo.Cache.Write(rewrapFile, data)
	}
}

// eachHeader calls do with a header of every pack and every sealed record that the identities at
// hand open, but for those to skip. The calls come from one goroutine.
func (r *Repository) eachHeader(ctx context.Context, skip func(archive.Name) bool, do func(archive.Name, []byte) error) error {
	log, err := r.ReadLog(ctx)
	if err != nil {
		return err
	}
	for _, rec := range log.Records {
		if len(rec.Sealed) == 0 || skip(rec.Hash) {
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
		names, err := r.packsOf(ctx, kind)
		if err != nil {
			return err
		}
		if err := r.eachPackHeader(ctx, kind, slices.DeleteFunc(names, skip), do); err != nil {
			return err
		}
	}
	return nil
}

// packsOf lists the packs of a kind.
func (r *Repository) packsOf(ctx context.Context, kind archive.Kind) (names []archive.Name, err error) {
	for info, err := range r.Store.List(ctx, string(kind)+"/", "") {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", kind, err)
		}
		if name, err := archive.ParseName(info.Name[max(0, len(info.Name)-64):]); err == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

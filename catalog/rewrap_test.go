package catalog_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/crypto"
)

// mortal is a store whose user is killed when it puts the nth object of headers: before that is
// stored, or after.
type mortal struct {
	store.Store
	dies  int // 0: never
	after bool
	puts  int          // of headers, one after the other
	gets  atomic.Int64 // of packs
	kill  context.CancelFunc
}

func (m *mortal) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if !strings.HasPrefix(name, "headers/") {
		return m.Store.Put(ctx, name, data, digest)
	}
	m.puts++
	if m.puts == m.dies && !m.after {
		m.kill()
		return context.Canceled
	}
	err := m.Store.Put(ctx, name, data, digest)
	if m.puts == m.dies {
		m.kill()
		return errors.Join(err, context.Canceled)
	}
	return err
}

func (m *mortal) Get(ctx context.Context, name string, offset, length int64, buffer []byte) ([]byte, error) {
	if strings.HasPrefix(name, "packs/") {
		m.gets.Add(1)
	}
	return m.Store.Get(ctx, name, offset, length, buffer)
}

// fill puts n packs into a store that are no more than their headers.
func fill(t testing.TB, s store.Store, n int, to age.Identity) (names []string) {
	t.Helper()
	for i := range n {
		sealed, err := crypto.Seal(nil, fmt.Append(nil, i), recipients(t, to)...)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(sealed)
		name := hex.EncodeToString(sum[:])
		if err := s.Put(t.Context(), "packs/"+name[:2]+"/"+name, sealed, sum); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// The headers of all packs are in eleven objects. A change that is killed at each of them, and
// started again, ends right, and fetches no header again that was stored.
func TestAChangeOfRecipientsGoesOnWhereItWasKilled(t *testing.T) {
	const packs, perObject = 105, 10
	catalog.SetHeadersPerObject(t, perObject)
	e := estate{owner: signer(t, "owner"), identity: identity(t)}
	m := &mortal{Store: memory.New()}
	var err error
	if e.writer, err = catalog.Init(t.Context(), m, e.owner, signer(t, "host"), recipients(t, e.identity), nil, catalog.Options{}); err != nil {
		t.Fatal(err)
	}
	names := fill(t, m, packs, e.identity)
	added, cache := identity(t), t.TempDir()
	change := func(dies int, after bool) error {
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		m.dies, m.after, m.puts, m.kill = dies, after, 0, kill
		repo, err := catalog.Open(ctx, m, catalog.Options{CacheDir: cache, Keys: catalog.Keys{
			Identities: &crypto.IdentityFile{Identities: []age.Identity{e.identity}},
			Pins:       catalog.Pins{Trusted: []crypto.Fingerprint{e.owner.Verifier().Fingerprint()}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return repo.SetRecipients(ctx, e.owner, recipients(t, e.identity, added))
	}
	for try := range 10 {
		// Each try finishes one object more, and dies with the next, which is stored or not.
		if err := change(2, try%2 == 1); err == nil {
			t.Fatalf("try %d was to be killed", try)
		}
		if repo, err := catalog.Open(t.Context(), m, e.options(added)); !errors.Is(err, crypto.ErrWrongIdentity) {
			t.Fatalf("after try %d who is being added opens %v, %v", try, repo, err)
		}
	}
	before := m.gets.Load()
	if err := change(0, false); err != nil {
		t.Fatal(err)
	}
	if again := m.gets.Load() - before; again > perObject {
		t.Errorf("the last try fetched %d headers: it began anew", again)
	}
	repo, err := catalog.Open(t.Context(), m, e.options(added))
	if err != nil {
		t.Fatal(err)
	}
	headers, err := repo.DetachedHeaders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := crypto.OpenHeader(headers[name], added); err != nil {
			t.Fatalf("pack %s does not open for who was added: %v", name, err)
		}
	}
}

// options open the repository with an identity.
func (e estate) options(identity age.Identity) catalog.Options {
	return catalog.Options{Keys: catalog.Keys{
		Identities: &crypto.IdentityFile{Identities: []age.Identity{identity}},
		Pins:       catalog.Pins{Trusted: []crypto.Fingerprint{e.owner.Verifier().Fingerprint()}},
	}}
}

// BenchmarkAChangeOfRecipients measures what ten thousand packs cost.
func BenchmarkAChangeOfRecipients(b *testing.B) {
	const packs = 10_000
	for _, classic := range []bool{true, false} {
		b.Run(fmt.Sprintf("classic=%v", classic), func(b *testing.B) {
			mine, added := anIdentity(b, classic), anIdentity(b, classic)
			e, s := estate{owner: signer(b, "owner"), identity: mine}, memory.New()
			if _, err := catalog.Init(b.Context(), s, e.owner, signer(b, "host"), recipients(b, mine), nil, catalog.Options{}); err != nil {
				b.Fatal(err)
			}
			fill(b, s, packs, mine)
			for b.Loop() {
				repo, err := catalog.Open(b.Context(), s, e.options(mine))
				if err != nil {
					b.Fatal(err)
				}
				if err := repo.SetRecipients(b.Context(), e.owner, recipients(b, mine, added)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/10000-packs")
		})
	}
}

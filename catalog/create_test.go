package catalog

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/crypto"
)

// TestWhatMakesARepositoryIsDurableBeforeItIsOne holds an init to its order: after a loss of power
// there is no packstone.json without the config and the domain.
func TestWhatMakesARepositoryIsDurableBeforeItIsOne(t *testing.T) {
	w := newWorld(t)
	recipient, err := crypto.RecipientOf(w.identity)
	if err != nil {
		t.Fatal(err)
	}
	var unsynced atomic.Int64
	var once sync.Once
	synced := make(chan struct{})
	f := &storetest.Faulty{Store: memory.New(), Before: func(op storetest.Op, name string) error {
		if op == storetest.Put && strings.HasPrefix(name, "domains/") {
			<-synced // by whoever stores the config
		}
		return nil
	}, After: func(op storetest.Op, name string) error {
		switch {
		case op == storetest.Sync:
			unsynced.Store(0)
			once.Do(func() { close(synced) })
		case op == storetest.Put && name == archive.FormatObject:
			if n := unsynced.Load(); n > 0 {
				t.Errorf("%d objects before %s were not synced", n, name)
			}
		case op == storetest.Put:
			unsynced.Add(1)
		}
		return nil
	}}
	if _, err := Init(t.Context(), f, w.owner, signer(t, "host"), []age.Recipient{recipient}, nil, Options{}); err != nil {
		t.Fatal(err)
	}
}

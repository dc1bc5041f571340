//go:build soak

package catalog

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/storetest"
)

// Ten years of records: how long opening takes after they were rolled up, and how many requests.
func TestSoakAHundredThousandRecordsOpenWithFewRequests(t *testing.T) {
	w := newWorld(t)
	const records, counting, lanes = 100_000, 1000, 100
	for lane := range lanes {
		previous := ""
		for seq := 1; seq <= records/lanes; seq++ {
			c := clear{Kind: Tombstone, Previous: previous, Time: time.Now(), Domain: 1, Nonce: rand.Text()}
			if seq%(records/counting) == 0 {
				sealed := make([]byte, 2000)
				rand.Read(sealed)
				c.Kind, c.Sealed, c.Group, c.Complete = Commit, sealed, fmt.Sprint(lane), true
			}
			line, err := encodeLine(c)
			if err != nil {
				t.Fatal(err)
			}
			name := Lane{"host", uint64(lane)}.record(uint64(seq))
			data, err := w.writer.Signer.Sign(w.writer.Repository, name, line)
			if err != nil {
				t.Fatal(err)
			}
			previous = hash(data)
			if err := w.store.Put(t.Context(), name, data, sha256.Sum256(data)); err != nil {
				t.Fatal(err)
			}
		}
	}
	open := func() (*Log, int, time.Duration) {
		f := &storetest.Faulty{Store: w.store}
		began := time.Now()
		log, err := w.opened(f, Options{Keys: Keys{Identities: w.identities()}}).ReadLog(t.Context())
		if err != nil || len(log.Problems) > 0 {
			t.Fatal(log.Problems, err)
		}
		return log, len(f.Calls()), time.Since(began)
	}
	_, requests, took := open()
	t.Logf("before: %d requests, %v", requests, took)
	began := time.Now()
	done := w.rollUp()
	t.Logf("rolled up %d records, of which %d count, in %v", done.Records, done.Force, time.Since(began))
	log, requests, took := open()
	t.Logf("after: %d requests, %v", requests, took)
	if done.Force != counting || len(log.Records) != counting || requests > 12 {
		t.Errorf("%d in force, %d records, %d requests", done.Force, len(log.Records), requests)
	}
}

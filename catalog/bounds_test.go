package catalog

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// seals is the sealed part of a record with this content.
func (w *world) seals(content []byte) []byte {
	w.t.Helper()
	recipient, err := crypto.RecipientOf(w.identity)
	if err != nil {
		w.t.Fatal(err)
	}
	sealed, err := crypto.Seal(nil, archive.Compact(content), []age.Recipient{recipient}...)
	if err != nil {
		w.t.Fatal(err)
	}
	return sealed
}

func TestASnapshotThatUnpacksToVeryMuchIsLeftOutAndNamed(t *testing.T) {
	honest := []byte(`{"set":"honest","host":"host","time":"2026-01-02T03:04:05Z","sources":[]}`)
	pad := func(n int) []byte {
		return append([]byte(`{"set":"padded","host":"host","time":"2026-01-02T03:04:05Z","user":"`+strings.Repeat("x", n)), `"}`...)
	}
	for _, c := range []struct {
		name    string
		content []byte
		good    bool
	}{
		{"honest", honest, true},
		{"15 MiB of text", pad(15 << 20), true},
		{"17 MiB of text", pad(17 << 20), false},
		{"64 MiB of zeros", make([]byte, 64<<20), false},
		{"many sources", []byte(`{"sources":[` + strings.Repeat("{},", maxObjects) + `{}]}`), false},
		{"many tags", []byte(`{"tags":[` + strings.Repeat(`"",`, maxTokens) + `""]}`), false},
		{"no JSON", bytes.Repeat([]byte("nothing "), 1<<14), false},
	} {
		w := newWorld(t)
		lane := Lane{w.writer.Signer.Name(), 7}
		w.sign(w.writer.Signer, lane.record(1), clear{Kind: Commit, Domain: 1, Time: time.Now(), Sealed: w.seals(c.content)})
		snapshots, problems, err := w.reader().ReadSnapshots(t.Context(), w.log())
		if err != nil || (len(snapshots) == 1) != c.good || (len(problems) == 0) != c.good {
			t.Errorf("%s: got %d snapshots, problems %v, %v", c.name, len(snapshots), problems, err)
		}
		w.sound()
	}
}

func TestARecordThatIsTooLargeIsNotRead(t *testing.T) {
	w := newWorld(t)
	name := Lane{w.writer.Signer.Name(), 7}.record(1)
	w.sign(w.writer.Signer, name, clear{Kind: Checkpoint, Software: strings.Repeat("x", maxRecord)})
	log := w.log()
	if len(log.Records) != 0 || len(log.Problems) != 1 || !strings.Contains(log.Problems[0].Error(), name) {
		t.Errorf("got %d records, problems %v", len(log.Records), log.Problems)
	}
}

package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/check"
)

// Nights: of a repository that is too large to be read in one, each reads a part, those packs first
// that were read longest ago.

// slow is a store whose packs take a while to be read.
type slow struct {
	store.Store
	takes time.Duration
	read  []string // packs, in the order in which they were begun
	fails int      // the number of the pack from which on nothing answers; 0: everything does
}

var errKilled = errors.New("killed")

// Get implements store.Store.
func (s *slow) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if isPack(name) && !slices.Contains(s.read, name) && s.takes > 0 {
		s.read = append(s.read, name)
		time.Sleep(s.takes)
	}
	if s.dead() {
		return dst, errKilled
	}
	return s.Store.Get(ctx, name, offset, length, dst)
}

// Put implements store.Store.
func (s *slow) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if s.dead() {
		return errKilled
	}
	return s.Store.Put(ctx, name, data, digest)
}

func (s *slow) dead() bool { return s.fails > 0 && len(s.read) >= s.fails }

// night checks for some time, and returns the packs that it has read.
func (w *world) night(o check.Options, takes time.Duration) (*check.Report, []string) {
	w.t.Helper()
	s := &slow{Store: w.store}
	repo, err := catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Identities: w.identity}})
	if err != nil {
		w.t.Fatal(err)
	}
	s.takes = takes
	o.ReadData, o.By, o.Parallel = true, &w.owner, 1
	report, err := check.Run(w.t.Context(), repo, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return report, s.read[:report.PacksRead] // the pages of trees are read after the packs
}

// nightsWorld has some packs, and may attest.
func nightsWorld(t testing.TB) *world {
	w := newWorld(t)
	w.mustBackup(randomSource(40, 60_000, 1))
	w.letForget()
	return w
}

func TestNightsReadEachPackOnceAndThenTheOldestAgain(t *testing.T) {
	inBubble(t, 1, func(t *testing.T) {
		w := nightsWorld(t)
		all := w.packNames()
		begun := time.Now()
		var nights [][]string
		read := map[string]bool{}
		for len(read) < len(all) {
			report, now := w.night(check.Options{MaxDuration: time.Hour, Seed: uint64(len(nights))}, 10*time.Minute)
			if len(now) == 0 || len(now) > 8 {
				t.Fatalf("night %d reads %d packs of ten minutes each in an hour", len(nights), len(now))
			}
			for _, name := range now {
				if read[name] && len(read) < len(all) {
					t.Errorf("night %d reads %s again, and %d packs were never read", len(nights), name, len(all)-len(read))
				}
				read[name] = true
			}
			if int(report.Unverified) != len(all)-len(read) || (report.UnverifiedBytes == 0) != (report.Unverified == 0) || report.UnverifiedBytes > report.Bytes {
				t.Errorf("after night %d: %d packs of %d bytes were never read, of %d; want %d", len(nights), report.Unverified, report.UnverifiedBytes, report.Bytes, len(all)-len(read))
			}
			if late := report.Since.Sub(begun); late < -time.Second || late > 2*time.Hour {
				t.Errorf("after night %d all others were read since %v, want since the first night, %v", len(nights), report.Since, begun)
			}
			nights = append(nights, now)
			time.Sleep(24 * time.Hour)
		}
		if want := len(all)/8 + 1; len(nights) < want {
			t.Errorf("%d packs were read in %d nights, want %d at least", len(all), len(nights), want)
		}
		// The first night of the next round reads what the first one of this round did.
		report, again := w.night(check.Options{MaxDuration: time.Hour}, 10*time.Minute)
		for _, name := range again {
			if !slices.Contains(slices.Concat(nights[0], nights[1]), name) {
				t.Errorf("the second round begins with %s, which was not read longest ago", name)
			}
		}
		if !report.Since.After(begun.Add(23 * time.Hour)) {
			t.Errorf("all were read since %v, want since the second night after %v", report.Since, begun)
		}
		w.check()
	})
}

func TestAKilledCheckHasToldWhatItHadReadAQuarterOfAnHourBefore(t *testing.T) {
	inBubble(t, 1, func(t *testing.T) {
		w := nightsWorld(t)
		s := &slow{Store: w.store}
		repo, err := catalog.Open(t.Context(), s, catalog.Options{Keys: catalog.Keys{Identities: w.identity}})
		if err != nil {
			t.Fatal(err)
		}
		s.takes, s.fails = 5*time.Minute, 12
		_, _ = check.Run(t.Context(), repo, check.Options{ReadData: true, By: &w.owner, Parallel: 1})
		told := w.verified().Len()
		if told < 6 || told >= 12 {
			t.Errorf("%d packs are known to be sound of 11 that were read in 55 minutes", told)
		}
		report, read := w.night(check.Options{}, time.Minute)
		if int(report.PacksRead) != len(w.packNames()) || report.Unverified > 0 {
			t.Errorf("the next check: %+v", report)
		}
		for i, name := range read[:len(read)-told] { // those that were told come last
			if slices.Contains(s.read[:told-1], name) {
				t.Errorf("%s is read as number %d, and was known to be sound", name, i)
			}
		}
		w.check()
	})
}

// sums tells checksums as a bucket does: of what was put.
type sums struct {
	told map[string]store.Digest
	none bool
	away error
}

// Sum implements store.Summer.
func (s *sums) Sum(_ context.Context, name string) (store.Digest, bool, error) {
	if s.away != nil {
		return store.Digest{}, false, s.away
	}
	sum, known := s.told[name]
	switch {
	case s.none:
		return store.Digest{}, false, nil
	case !known:
		return sum, false, store.ErrNotExist
	}
	return sum, true, nil
}

// sumsOf tells of each pack the hash that it has.
func (w *world) sumsOf() *sums {
	w.t.Helper()
	s := &sums{told: map[string]store.Digest{}}
	for pack, err := range archive.ListPacks(w.t.Context(), w.store) {
		if err != nil {
			w.t.Fatal(err)
		}
		s.told[pack.Kind.Object(pack.Name)] = store.Digest(pack.Name)
	}
	return s
}

func TestChecksumsOfTheStorageAreComparedWithoutReading(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(20, 30_000, 1))
	n := uint64(packs(t, w.store))
	s := w.sumsOf()
	if report := checked(t, w, check.Options{Sums: s}); report.Summed != n || len(report.Findings) > 0 || report.PacksRead > 0 {
		t.Errorf("of %d packs: %+v", n, report)
	}
	if report := checked(t, w, check.Options{Sums: s, ReadData: true}); report.Summed != 0 || report.PacksRead != n {
		t.Errorf("of packs that are read the storage is asked too: %+v", report)
	}
	if report := checked(t, w, check.Options{Sums: &sums{none: true}}); report.Summed != 0 || len(report.Findings) > 0 || !slices.ContainsFunc(report.Unchecked, func(text string) bool {
		return saysAll(text, "checksums", "keeps none")
	}) {
		t.Errorf("a storage that keeps none: %+v", report)
	}
	bad := w.names("packs/")[0]
	s.told[bad] = store.Digest{1}
	gone := w.names("packs/")[1]
	delete(s.told, gone) // deleted since it was listed
	report := checked(t, w, check.Options{Sums: s})
	if len(report.Findings) != 1 || report.Findings[0].Object != bad || len(report.Findings[0].Files) == 0 || report.Summed != n-2 {
		t.Errorf("%s has another checksum: %+v", bad, report)
	}
	w.check()
}

// A pack that has another checksum since it was verified is not said to be sound once more.
func TestWhatHasAnotherChecksumIsNotAttestedAgain(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(40, 60_000, 1))
	w.mustAttest(check.Options{})
	n, s := w.verified().Len(), w.sumsOf()
	for object := range s.told {
		s.told[object] = store.Digest{1}
	}
	report := w.mustAttest(check.Options{Percent: 5, Sums: s})
	if want := int(report.PacksRead); w.verified().Len() != want || len(report.Findings) != n-want {
		t.Errorf("%d packs are verified, want the %d that were read; %d findings of %d packs", w.verified().Len(), want, len(report.Findings), n)
	}
	w.check()
}

func TestACheckFailsIfTheStorageDoesNotTellChecksums(t *testing.T) {
	w := newWorld(t)
	w.mustBackup(randomSource(3, 3000, 1))
	if _, err := check.Run(t.Context(), w.reader(), check.Options{Sums: &sums{away: store.ErrUnreachable}}); !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("got %v, want %v", err, store.ErrUnreachable)
	}
	w.check()
}

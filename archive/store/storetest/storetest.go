// Package storetest is the executable form of the contract of store.Store: a suite that every
// adapter passes, a decorator that injects faults, and benchmarks that all adapters share.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Run tests that the stores returned by open keep the contract. It calls open for each part of the
// suite; open must return an empty store each time, and may use t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	parts := []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"ReadAfterWrite", readAfterWrite},
		{"PutNeverOverwrites", putNeverOverwrites},
		{"LargePutNeverOverwrites", largePutNeverOverwrites},
		{"OneWinnerAmongRacingWriters", oneWinner},
		{"WrongDigestIsRefused", wrongDigest},
		{"BadNamesAreRefused", badNames},
		{"Ranges", ranges},
		{"RangesOfAnEmptyObject", emptyObject},
		{"GetAppendsToDst", getAppends},
		{"MissingObject", missing},
		{"LargeObject", largeObject},
		{"ListAfterWrite", listAfterWrite},
		{"ListIsInBytewiseOrderOfNames", listOrder},
		{"ListPrefixesAndAfter", listPrefixes},
		{"ListStopsWhenAsked", listStops},
		{"ListPages", listPages},
		{"DeleteIsIdempotent", deleteIdempotent},
		{"PutAfterDelete", putAfterDelete},
		{"OverwriteReplaces", overwriteReplaces},
		{"EndedContext", endedContext},
		{"ConcurrentUse", concurrentUse},
		{"DataIsNotKept", dataIsNotKept},
		{"SyncAndLocation", syncAndLocation},
		{"Probe", probe},
	}
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { part.run(t, open(t)) })
	}
}

// put stores data under name with its true digest.
func put(ctx context.Context, s store.Store, name string, data []byte) error {
	return s.Put(ctx, name, data, sha256.Sum256(data))
}

func mustPut(t testing.TB, s store.Store, name string, data []byte) {
	t.Helper()
	if err := put(context.Background(), s, name, data); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

// expect compares the whole content of an object with want.
func expect(t testing.TB, s store.Store, name string, want []byte) {
	t.Helper()
	got, err := s.Get(context.Background(), name, 0, -1, nil)
	if err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("get %s: %d bytes %.40q, want %d bytes %.40q", name, len(got), got, len(want), want)
	}
}

// list collects a listing.
func list(t testing.TB, s store.Store, prefix, after string) []store.Info {
	t.Helper()
	var infos []store.Info
	for info, err := range s.List(context.Background(), prefix, after) {
		if err != nil {
			t.Fatalf("list %q after %q: %v", prefix, after, err)
		}
		infos = append(infos, info)
	}
	return infos
}

func names(infos []store.Info) []string {
	list := make([]string, len(infos))
	for i, info := range infos {
		list[i] = info.Name
	}
	return list
}

// random returns n pseudo-random bytes that depend only on n.
func random(n int) []byte {
	source := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	data := make([]byte, n)
	_, _ = source.Read(data) // never fails
	return data
}

func readAfterWrite(t *testing.T, s store.Store) {
	for _, size := range []int{0, 1, 511, 4096, 70_000, 1 << 20} {
		name := fmt.Sprintf("packs/ab/%d", size)
		mustPut(t, s, name, random(size))
		expect(t, s, name, random(size))
	}
}

func putNeverOverwrites(t *testing.T, s store.Store) {
	mustPut(t, s, "config/1", []byte("first"))
	for _, second := range []string{"second", "first", ""} {
		if err := put(context.Background(), s, "config/1", []byte(second)); !errors.Is(err, store.ErrExist) {
			t.Errorf("put of %q over an object: %v, want ErrExist", second, err)
		}
	}
	expect(t, s, "config/1", []byte("first"))
}

// largePutNeverOverwrites tests servers that refuse before they have read the body: the answer must
// not get lost.
func largePutNeverOverwrites(t *testing.T, s store.Store) {
	data := random(8 << 20)
	mustPut(t, s, "packs/ab/large", data)
	for range 5 {
		if err := put(context.Background(), s, "packs/ab/large", data); !errors.Is(err, store.ErrExist) {
			t.Errorf("second put of %d bytes: %v, want ErrExist", len(data), err)
		}
	}
}

// oneWinner races small objects, and objects of a megabyte, whose writes really overlap.
func oneWinner(t *testing.T, s store.Store) {
	for _, size := range []int{16, 1 << 20} {
		for round := range 3 {
			race(t, s, fmt.Sprintf("log/w.%d/%d", size, round), size)
		}
	}
}

func race(t *testing.T, s store.Store, name string, size int) {
	const writers = 20
	var errs [writers]error
	var bodies [writers][]byte
	for i := range bodies {
		bodies[i] = random(size)
		copy(bodies[i], fmt.Sprintf("writer %02d", i))
	}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			<-start
			errs[i] = putDecided(s, name, bodies[i])
		})
	}
	close(start)
	wg.Wait()

	winner := slices.Index(errs[:], nil)
	if winner < 0 {
		t.Fatalf("%s: none of %d writers won: %v", name, writers, errs)
	}
	for i, err := range errs {
		if i != winner && !errors.Is(err, store.ErrExist) {
			t.Errorf("%s: writer %d won, writer %d got %v, want ErrExist", name, winner, i, err)
		}
	}
	expect(t, s, name, bodies[winner])
}

// putDecided repeats a Put that the store could not decide, as the contract asks of callers. A
// server may also cut the connection of a loser before the loser has read the answer.
func putDecided(s store.Store, name string, data []byte) error {
	for try := 0; ; try++ {
		err := put(context.Background(), s, name, data)
		undecided := errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnreachable)
		if !undecided || try == 50 {
			return err
		}
		time.Sleep(time.Duration(try) * time.Millisecond)
	}
}

func wrongDigest(t *testing.T, s store.Store) {
	refuses(t, s, 0, 100, 100_000, store.CheckedSize)
}

// RefusesLarge tests that a store refuses large objects, too, if they do not match their digests.
func RefusesLarge(t *testing.T, s store.Store) {
	t.Helper()
	refuses(t, s, store.CheckedSize+1, 3<<20)
}

func refuses(t *testing.T, s store.Store, sizes ...int) {
	t.Helper()
	for _, size := range sizes {
		name := fmt.Sprintf("packs/00/%d", size)
		err := s.Put(context.Background(), name, random(size), sha256.Sum256([]byte("something else")))
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("put of %d bytes with a wrong digest: %v, want ErrCorrupt", size, err)
		}
		if _, err := s.Get(context.Background(), name, 0, -1, nil); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("get after a refused put: %v, want ErrNotExist", err)
		}
	}
	if left := list(t, s, "", ""); len(left) > 0 {
		t.Errorf("refused puts are listed: %v", names(left))
	}
}

func badNames(t *testing.T, s store.Store) {
	for _, name := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a b", "ä", "tmp", "tmp/a",
		strings.Repeat("a", 200), "a\x00b", `a\b`} {
		if err := put(context.Background(), s, name, nil); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("put %q: %v, want ErrInvalid", name, err)
		}
		if _, err := s.Get(context.Background(), name, 0, -1, nil); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("get %q: %v, want ErrInvalid", name, err)
		}
		if err := s.Delete(context.Background(), name); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("delete %q: %v, want ErrInvalid", name, err)
		}
	}
}

func ranges(t *testing.T, s store.Store) {
	data := []byte("0123456789")
	mustPut(t, s, "a", data)
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, "0123456789"}, {0, 10, "0123456789"}, {0, 100, "0123456789"}, {0, 1, "0"}, {3, 4, "3456"},
		{3, -1, "3456789"}, {9, 1, "9"}, {9, 100, "9"}, {10, 1, ""}, {10, -1, ""}, {1000, 5, ""}, {1000, -1, ""},
		{0, 0, ""}, {5, 0, ""}, {-1, -1, "9"}, {-4, -1, "6789"}, {-4, 2, "67"}, {-4, 4, "6789"}, {-4, 100, "6789"},
		{-10, -1, "0123456789"}, {-1000, -1, "0123456789"}, {-1000, 3, "012"}, {-4, 0, ""},
	} {
		got, err := s.Get(context.Background(), "a", c.offset, c.length, nil)
		if err != nil || string(got) != c.want {
			t.Errorf("get offset %d length %d: %q, %v, want %q", c.offset, c.length, got, err, c.want)
		}
	}
}

func emptyObject(t *testing.T, s store.Store) {
	mustPut(t, s, "empty", nil)
	for _, c := range [][2]int64{{0, -1}, {0, 0}, {0, 10}, {5, 10}, {5, -1}, {-5, -1}, {-5, 3}} {
		got, err := s.Get(context.Background(), "empty", c[0], c[1], []byte("x"))
		if err != nil || string(got) != "x" {
			t.Errorf("get offset %d length %d of an empty object: %q, %v, want it to add nothing", c[0], c[1], got, err)
		}
	}
	if infos := list(t, s, "", ""); len(infos) != 1 || infos[0].Size != 0 {
		t.Errorf("list: %v, want one object of size 0", infos)
	}
}

func getAppends(t *testing.T, s store.Store) {
	mustPut(t, s, "a", []byte("0123456789"))
	dst := make([]byte, 3, 64)
	copy(dst, "abc")
	got, err := s.Get(context.Background(), "a", 2, 3, dst)
	if err != nil || string(got) != "abc234" {
		t.Fatalf("get: %q, %v, want %q", got, err, "abc234")
	}
	if &got[0] != &dst[0] {
		t.Errorf("get allocated although dst had room")
	}
	if got, err = s.Get(context.Background(), "a", 0, -1, []byte("abc")); err != nil || string(got) != "abc0123456789" {
		t.Errorf("get into a full dst: %q, %v", got, err)
	}
}

func missing(t *testing.T, s store.Store) {
	mustPut(t, s, "packs/ab/c", []byte("x"))
	for _, name := range []string{"nothing", "packs/ab/d", "packs/ff/c", "packs/ab", "packs", "packs/ab/c/d"} {
		for _, c := range [][2]int64{{0, -1}, {4, 4}, {-4, -1}, {0, 0}} {
			got, err := s.Get(context.Background(), name, c[0], c[1], []byte("x"))
			if !errors.Is(err, store.ErrNotExist) || string(got) != "x" {
				t.Errorf("get %s at %v: %q, %v, want dst as it was and ErrNotExist", name, c, got, err)
			}
		}
	}
}

func largeObject(t *testing.T, s store.Store) {
	data := random(33 << 20)
	mustPut(t, s, "packs/ab/large", data)
	expect(t, s, "packs/ab/large", data)
	got, err := s.Get(context.Background(), "packs/ab/large", 17<<20, 1<<20, nil)
	if err != nil || !bytes.Equal(got, data[17<<20:18<<20]) {
		t.Errorf("get of a MiB in the middle: %d bytes, %v, or they differ", len(got), err)
	}
}

func listAfterWrite(t *testing.T, s store.Store) {
	before := time.Now()
	if infos := list(t, s, "", ""); len(infos) > 0 {
		t.Fatalf("the store is not empty: %v", names(infos))
	}
	for i := range 20 {
		name := fmt.Sprintf("sessions/w.0.%02d", i)
		mustPut(t, s, name, random(i))
		infos := list(t, s, "sessions/", "")
		if len(infos) != i+1 || infos[i].Name != name || infos[i].Size != int64(i) {
			t.Fatalf("list after put of %s: %v", name, infos)
		}
		// Clocks of servers differ, and many keep whole seconds; a day tells a date from none.
		if age := infos[i].Modified.Sub(before).Abs(); age > 24*time.Hour {
			t.Fatalf("modified of %s = %v, want about %v", name, infos[i].Modified, before)
		}
	}
}

// tricky are names whose bytewise order differs from the order of a walk, case-folded order or
// numeric order.
var tricky = []string{
	"a-b", "a-b-c", "a.b", "a/b", "a/b-c", "a0", "aa", "ab/c-d/e", "ab/c/d", "ab/c0", "A", "Z/z", "_", "-", "0", "00/1",
	"10", "2", ".hidden", "a_b", "log/w.0/10", "log/w.0/9", "log/w.0-x/1", "log/w.00/1", "packstone.json",
}

func listOrder(t *testing.T, s store.Store) {
	for _, name := range tricky {
		mustPut(t, s, name, []byte(name))
	}
	want := slices.Sorted(slices.Values(tricky))
	if got := names(list(t, s, "", "")); !slices.Equal(got, want) {
		t.Errorf("list:\n got %v\nwant %v", got, want)
	}
	for _, after := range append(want, "!", "a", "a-", "a/", "a/a", "a/c", "ab/", "ab/c", "log", "log/w.0", "zzz", "a-b/") {
		rest := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return name <= after })
		if got := names(list(t, s, "", after)); !slices.Equal(got, rest) {
			t.Errorf("list after %q:\n got %v\nwant %v", after, got, rest)
		}
	}
}

func listPrefixes(t *testing.T, s store.Store) {
	for _, name := range tricky {
		mustPut(t, s, name, nil)
	}
	all := slices.Sorted(slices.Values(tricky))
	for _, prefix := range []string{"a", "a/", "a-", "ab", "ab/", "ab/c", "ab/c/", "log/", "log/w.0", "log/w.0/", "log/w.0/1",
		"packs/0", "zzz/", "packstone.json", "packstone.json/", "_", "A", "a/b", ".hid"} {
		for _, after := range []string{"", "a-b", "ab/c-d/e", "log/w.0/10"} {
			want := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
				return !strings.HasPrefix(name, prefix) || name <= after
			})
			if got := names(list(t, s, prefix, after)); !slices.Equal(got, want) {
				t.Errorf("list %q after %q: %v, want %v", prefix, after, got, want)
			}
		}
	}
}

func listStops(t *testing.T, s store.Store) {
	for _, name := range tricky {
		mustPut(t, s, name, nil)
	}
	seen := 0
	for _, err := range s.List(context.Background(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("saw %d objects, want 3", seen)
	}
}

// listPages holds more objects than S3 returns in two pages.
func listPages(t *testing.T, s store.Store) {
	const count = 2100
	want := make([]string, count)
	for i := range want {
		want[i] = fmt.Sprintf("packs/%02x/%05d", i*256/count, i)
	}
	parallel(t, 32, count, func(i int) error { return put(context.Background(), s, want[i], nil) })
	if got := names(list(t, s, "packs/", "")); !slices.Equal(got, want) {
		t.Errorf("list: %d objects, want the %d that were put, in order", len(got), count)
	}
	if got := names(list(t, s, "packs/", want[count-2])); !slices.Equal(got, want[count-1:]) {
		t.Errorf("list after all but one: %v, want %v", got, want[count-1:])
	}
}

// parallel runs act for 0 … n-1 in a few goroutines, and fails the test with the first error.
func parallel(t testing.TB, workers, n int, act func(int) error) {
	t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = act(i)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func deleteIdempotent(t *testing.T, s store.Store) {
	mustPut(t, s, "packs/ab/a", []byte("a"))
	mustPut(t, s, "packs/ab/b", []byte("b"))
	for _, name := range []string{"packs/ab/a", "packs/ab/a", "packs/ab/never", "packs/zz/never", "never"} {
		if err := s.Delete(context.Background(), name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	if _, err := s.Get(context.Background(), "packs/ab/a", 0, -1, nil); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("get after delete: %v, want ErrNotExist", err)
	}
	if got := names(list(t, s, "", "")); !slices.Equal(got, []string{"packs/ab/b"}) {
		t.Errorf("list after delete: %v, want [packs/ab/b]", got)
	}
}

func putAfterDelete(t *testing.T, s store.Store) {
	for _, body := range []string{"one", "two", ""} {
		mustPut(t, s, "a/b/c", []byte(body))
		expect(t, s, "a/b/c", []byte(body))
		if err := s.Delete(context.Background(), "a/b/c"); err != nil {
			t.Fatal(err)
		}
	}
}

// overwriteReplaces tests a store.Overwriter. A store that is none is told as such by ErrInvalid.
func overwriteReplaces(t *testing.T, s store.Store) {
	mustPut(t, s, "packs/ab/c", []byte("the first one"))
	if _, ok := s.(store.Overwriter); !ok {
		if err := store.Overwrite(context.Background(), s, "packs/ab/c", nil); !errors.Is(err, store.ErrInvalid) {
			t.Fatalf("it can't overwrite, and returns %v, want ErrInvalid", err)
		}
		return
	}
	for _, content := range []string{"another one", "another one", ""} {
		if err := store.Overwrite(context.Background(), s, "packs/ab/c", []byte(content)); err != nil {
			t.Fatalf("overwrite: %v", err)
		}
		expect(t, s, "packs/ab/c", []byte(content))
	}
	if err := s.Sync(context.Background()); err != nil {
		t.Fatalf("sync: %v", err)
	}
	if got := names(list(t, s, "packs/", "")); len(got) != 1 {
		t.Fatalf("listed after overwriting: %q, want one object", got)
	}
	if err := store.Overwrite(context.Background(), s, "../c", nil); !errors.Is(err, store.ErrInvalid) {
		t.Fatalf("overwrite a bad name: %v, want ErrInvalid", err)
	}
}

func endedContext(t *testing.T, s store.Store) {
	mustPut(t, s, "a", []byte("x"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := put(ctx, s, "b", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v, want context.Canceled", err)
	}
	if got, err := s.Get(ctx, "a", 0, -1, nil); !errors.Is(err, context.Canceled) || len(got) > 0 {
		t.Errorf("get: %q, %v, want context.Canceled", got, err)
	}
	if err := s.Delete(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("delete: %v, want context.Canceled", err)
	}
	var last error
	for _, err := range s.List(ctx, "", "") {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("list: %v, want context.Canceled", last)
	}
	expect(t, s, "a", []byte("x"))
}

func concurrentUse(t *testing.T, s store.Store) {
	parallel(t, 8, 64, func(i int) error {
		name, data := fmt.Sprintf("packs/%02x/%d", i%4, i), random(1000+i)
		if err := putDecided(s, name, data); err != nil {
			return err
		}
		got, err := s.Get(context.Background(), name, 0, -1, nil)
		if err == nil && !bytes.Equal(got, data) {
			err = fmt.Errorf("%s: %d bytes differ from what was put", name, len(got))
		}
		if err == nil && i%2 == 1 {
			err = s.Delete(context.Background(), name)
		}
		if err == nil {
			err = s.Sync(context.Background())
		}
		return err
	})
	if got := len(list(t, s, "", "")); got != 32 {
		t.Errorf("%d objects are left, want 32", got)
	}
}

func dataIsNotKept(t *testing.T, s store.Store) {
	data := []byte("as it was")
	mustPut(t, s, "a", data)
	copy(data, "XXXX")
	got, err := s.Get(context.Background(), "a", 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	copy(got, "YYYY")
	expect(t, s, "a", []byte("as it was"))
}

func syncAndLocation(t *testing.T, s store.Store) {
	if err := s.Sync(context.Background()); err != nil {
		t.Errorf("sync of an empty store: %v", err)
	}
	mustPut(t, s, "packs/ab/c", []byte("x"))
	if err := s.Sync(context.Background()); err != nil {
		t.Errorf("sync: %v", err)
	}
	expect(t, s, "packs/ab/c", []byte("x"))
	if s.Location() == "" {
		t.Error("location is empty")
	}
}

func probe(t *testing.T, s store.Store) {
	for _, check := range store.Probe(context.Background(), s) {
		if check.Err != nil {
			t.Errorf("%s: %v", check.Name, check.Err)
		}
	}
	if left := list(t, s, "", ""); len(left) > 0 {
		t.Errorf("the probe left %v", names(left))
	}
}

// RunFailing tests that every call to a store that cannot work fails with want, and that Get
// returns dst unchanged.
func RunFailing(t *testing.T, s store.Store, want error) {
	t.Helper()
	ctx := context.Background()
	if err := put(ctx, s, "packs/ab/c", []byte("x")); !errors.Is(err, want) {
		t.Errorf("put: %v, want %v", err, want)
	}
	if got, err := s.Get(ctx, "packs/ab/c", 0, -1, []byte("x")); !errors.Is(err, want) || string(got) != "x" {
		t.Errorf("get: %q, %v, want dst as it was and %v", got, err, want)
	}
	var last error
	for _, err := range s.List(ctx, "packs/", "") {
		last = err
	}
	if !errors.Is(last, want) {
		t.Errorf("list: %v, want %v", last, want)
	}
	// A place that does not exist holds no such object, so there a Delete may as well succeed.
	if err := s.Delete(ctx, "packs/ab/c"); !errors.Is(err, want) && !(err == nil && errors.Is(want, store.ErrNotExist)) {
		t.Errorf("delete: %v, want %v", err, want)
	}
}

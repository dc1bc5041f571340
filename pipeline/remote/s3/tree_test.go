package s3_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/s3"
	"github.com/packstone/packstone/pipeline/remote/s3/s3test"
)

// open opens the server's bucket by one of the two SDKs.
func open(t testing.TB, server *s3test.Server, sdk string, o s3.Options) *s3.Bucket {
	t.Helper()
	address := server.Address()
	if sdk == "aws" {
		t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
		t.Setenv("AWS_CONFIG_FILE", "/dev/null")
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
		address = "s3://" + server.Bucket
	}
	a, err := bucket.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := bucket.Open(context.Background(), a, bucket.Options{AccessKey: s3test.AccessKey, SecretKey: s3test.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	return s3.New(client, o)
}

// bothSDKs runs a test through each.
func bothSDKs(t *testing.T, test func(t *testing.T, sdk string)) {
	for _, sdk := range []string{"aws", "minio"} {
		t.Run(sdk, func(t *testing.T) { test(t, sdk) })
	}
}

// visited lists the tree: directories with a slash behind, files with their keys.
func visited(t *testing.T, b *s3.Bucket, o s3.TreeOptions) []string {
	t.Helper()
	var all []string
	last := ""
	err := b.Tree(context.Background(), o, func(n s3.Node) error {
		if last != "" && entry.ComparePaths(last, n.Path) >= 0 {
			t.Errorf("%q comes after %q", n.Path, last)
		}
		last = n.Path
		line := n.Path + "/"
		if !n.Directory {
			if got := b.Key(n.Path); got != n.Object.Key {
				t.Errorf("the key of %q is %q, want %q", n.Path, got, n.Object.Key)
			}
			line = n.Path
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTreeNamesEveryKeyInOrder(t *testing.T) {
	keys := map[string]int{
		"a": 1, "a-b": 1, "a.b": 1, "a/b": 1, "a//b": 1, "a//": 2, "a///c/d": 1, "a/./x": 1, "a/../x/y": 1, "a/.": 1, "a0": 1, "/lead": 1, "m/": 0, "n/": 3,
		"o/": 0, "o/p": 1, "ünï/ç": 1, "with space + & %41": 1, "z/~s3-dot": 1, ".hidden": 1, ".h/x": 1, "control\x01": 1,
	}
	bothSDKs(t, func(t *testing.T, sdk string) {
		server := s3test.Start(t)
		for key, size := range keys {
			server.Put(key, make([]byte, size))
		}
		problems := map[string]error{}
		got := visited(t, open(t, server, sdk, s3.Options{}), s3.TreeOptions{Problem: func(path string, err error) { problems[path] = err }})
		want := []string{".h/", ".h/x", ".hidden", "a/", "a/b", "a/~s3-dot/", "a/~s3-dot/~s3-object", "a/~s3-dot/x", "a/~s3-dotdot/", "a/~s3-dotdot/x/", "a/~s3-dotdot/x/y",
			"a/~s3-empty/", "a/~s3-empty/b", "a/~s3-empty/~s3-empty/", "a/~s3-empty/~s3-empty/c/", "a/~s3-empty/~s3-empty/c/d", "a/~s3-empty/~s3-empty/~s3-object",
			"a/~s3-object", "a-b", "a.b", "a0", "control\x01", "m/", "n/", "n/~s3-empty", "o/", "o/p", "with space + & %41", "z/", "~s3-empty/", "~s3-empty/lead", "ünï/", "ünï/ç"}
		slices.SortFunc(want, func(a, b string) int {
			return entry.ComparePaths(strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/"))
		})
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if len(problems) != 1 || problems["z/~s3-dot"] == nil {
			t.Errorf("got problems %v, want one of z/~s3-dot", problems)
		}
	})
}

// TestTreeOfAnyKeys compares with a sort of all of them.
func TestTreeOfAnyKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		server := s3test.Start(t)
		want := map[string]bool{}
		for range 1 + random.IntN(4000) {
			var key strings.Builder
			for i := range 1 + random.IntN(7) {
				if i > 0 {
					key.WriteByte("/-.0"[random.IntN(4)])
				}
				key.WriteByte("ab"[random.IntN(2)])
			}
			server.Put(key.String(), []byte("x"))
			want[key.String()] = true
		}
		b := open(t, server, "minio", s3.Options{Parallel: 3})
		got := map[string]bool{}
		for _, path := range visited(t, b, s3.TreeOptions{}) {
			if !strings.HasSuffix(path, "/") {
				got[b.Key(path)] = true
			}
		}
		if len(got) != len(want) {
			t.Errorf("round %d: got %d objects, want %d", round, len(got), len(want))
		}
	}
}

func TestTreeAsksFewQuestions(t *testing.T) {
	for name, layout := range map[string]struct {
		key  func(i int) string
		most int // requests beside one for each thousand keys
	}{
		"partitions":         {func(i int) string { return fmt.Sprintf("t/dt=%04d/part-%05d-c000.snappy.parquet", i/100, i%100) }, 40},
		"small partitions":   {func(i int) string { return fmt.Sprintf("t/dt=%05d/h=%02d/part.parquet", i/24, i%24) }, 40},
		"one directory":      {func(i int) string { return fmt.Sprintf("t/part-%06d-c000.snappy.parquet", i) }, 12},
		"no directory":       {func(i int) string { return fmt.Sprintf("part-%06d", i) }, 12},
		"a directory behind": {func(i int) string { return []string{fmt.Sprintf("part-%06d", i), fmt.Sprintf("part/%06d", i)}[i%2] }, 60},
	} {
		t.Run(name, func(t *testing.T) {
			server := s3test.Start(t)
			const keys = 40_000
			for i := range keys {
				server.Put(layout.key(i), nil)
			}
			got := 0
			for _, path := range visited(t, open(t, server, "minio", s3.Options{}), s3.TreeOptions{}) {
				if !strings.HasSuffix(path, "/") {
					got++
				}
			}
			requests, _ := server.Counts()
			if got != keys || requests["list"] > keys/1000+layout.most {
				t.Errorf("%d objects by %d requests, want %d by at most %d", got, requests["list"], keys, keys/1000+layout.most)
			}
			t.Logf("%d requests", requests["list"])
		})
	}
}

func TestTreeIsOfOneMoment(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		server := s3test.Start(t)
		server.PutVersion("old", &s3test.Version{Data: []byte("0"), Modified: moment(0)}) // before the bucket had versions
		server.KeepVersions()
		for _, v := range []struct {
			key     string
			second  int
			deleted bool
		}{
			{"a", 1, false}, {"a", 5, false}, {"a", 9, false}, {"b", 2, false}, {"b", 4, true}, {"c", 4, true}, {"c", 5, false}, {"d", 7, false}, {"e/f", 3, false}, {"e/f", 8, true},
		} {
			server.PutVersion(v.key, &s3test.Version{Data: []byte{byte('0' + v.second)}, Modified: moment(v.second), Deleted: v.deleted})
		}
		b := open(t, server, sdk, s3.Options{})
		if on, err := b.Versioned(context.Background()); err != nil || !on {
			t.Errorf("versioned: %v, %v, want true", on, err)
		}
		got := map[string]string{}
		err := b.Tree(context.Background(), s3.TreeOptions{Before: moment(6)}, func(n s3.Node) error {
			if n.Directory {
				return nil
			}
			r, err := b.Read(context.Background(), s3.Ref{Key: n.Object.Key, Version: n.Object.Version}, n.Object.Size)
			if err != nil {
				return err
			}
			defer r.Close()
			var data [10]byte
			size, _ := r.Read(data[:])
			got[n.Path] = string(data[:size])
			return nil
		})
		want := map[string]string{"a": "5", "c": "5", "e/f": "3", "old": "0"}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}

// TestTreeOfAServerThatMixesUpTimes holds for a server that gives a delete marker the time of what
// it hides, that time to what is hidden, and lists the markers of a page before its versions.
func TestTreeOfAServerThatMixesUpTimes(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		server := s3test.Start(t)
		server.KeepVersions()
		server.ListMarkersApart()
		var want []string
		for i := range 1500 {
			key := fmt.Sprintf("%04d", i)
			server.PutVersion(key, &s3test.Version{Data: []byte("1"), Modified: moment(3)})
			if i%3 == 0 {
				want = append(want, key)
				continue
			}
			server.PutVersion(key, &s3test.Version{Modified: moment(1), Deleted: true})
			if i%3 == 1 {
				want = append(want, key)
				server.PutVersion(key, &s3test.Version{Data: []byte("2"), Modified: moment(2)})
			}
		}
		var got []string
		err := open(t, server, sdk, s3.Options{}).Tree(context.Background(), s3.TreeOptions{Before: moment(6)}, func(n s3.Node) error {
			if !n.Directory {
				got = append(got, n.Path)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: %d objects, want %d: %q", err, len(got), len(want), got[:min(9, len(got))])
		}
	})
}

func moment(second int) time.Time { return time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC) }

func BenchmarkTree(b *testing.B) {
	server := s3test.Start(b)
	const keys = 20_000
	for i := range keys {
		server.Put(fmt.Sprintf("t/dt=%04d/part-%05d-c000.snappy.parquet", i/100, i%100), nil)
	}
	bucket := open(b, server, "minio", s3.Options{})
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := bucket.Tree(context.Background(), s3.TreeOptions{}, func(s3.Node) error { n++; return nil }); err != nil || n != keys+keys/100+1 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.N)*keys/b.Elapsed().Seconds(), "keys/s")
}

// FuzzTreeOfKeys lists buckets with any keys, one on a line: each is a path that leads down, or a
// problem.
func FuzzTreeOfKeys(f *testing.F) {
	f.Add("a\na-b\na/b\na//b\na/./x\na/../x/y\n/lead\n~s3-dot/x\nm/\nünï/ç")
	f.Add("..\n../x\n.\n//\n%2e%2e/x\n~s3-object\na/~s3-empty\na\x00b\n\x1b\n<&>")
	f.Fuzz(func(t *testing.T, text string) {
		keys := map[string]bool{}
		for key := range strings.SplitSeq(text, "\n") {
			if key != "" && len(key) <= 1024 && utf8.ValidString(key) && len(keys) < 40 {
				keys[key] = true
			}
		}
		server := s3test.Start(t)
		for key := range keys {
			server.Put(key, []byte("x"))
		}
		problems, found := map[string]bool{}, 0
		b := open(t, server, "minio", s3.Options{Parallel: 2})
		for _, path := range visited(t, b, s3.TreeOptions{Problem: func(path string, err error) { problems[path] = true }}) {
			file := strings.TrimSuffix(path, "/")
			if file == path && !keys[b.Key(path)] {
				t.Errorf("%q is no key", path)
			}
			if file == path {
				found++
			}
			for name := range strings.SplitSeq(file, "/") {
				if name == "" || name == "." || name == ".." || strings.Contains(name, "\x00") {
					t.Errorf("the path %q leads elsewhere", path)
				}
			}
		}
		if found < len(keys) && len(problems) == 0 {
			t.Errorf("%d of %d keys are there, and there are no problems", found, len(keys))
		}
	})
}

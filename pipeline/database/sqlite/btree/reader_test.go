package btree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

// TestRowsOfAllPageSizes reads what SQLite wrote, and what Table did.
func TestRowsOfAllPageSizes(t *testing.T) {
	for _, page := range []int{512, 4096, 32768} {
		path := newFile(t, page)
		write(t, path, rand.New(rand.NewPCG(uint64(page), 9)), 3000)
		direct, twin := read(t, path, 2), read(t, path, 3)
		if len(direct) != 3000 || fmt.Sprint(direct) != fmt.Sprint(twin) {
			t.Errorf("pages of %d bytes: %d rows from Table, %d from SQLite, or others", page, len(direct), len(twin))
		}
	}
}

// TestNumbersOfAllLengths decodes what was encoded.
func TestNumbersOfAllLengths(t *testing.T) {
	for shift := range 64 {
		for _, v := range []uint64{1 << shift, 1<<shift - 1, math.MaxUint64 >> shift} {
			p := appendVarint(nil, v)
			if got, n := varint(append(p, 0xff)); got != v || n != len(p) {
				t.Errorf("%d: %d in %d of %d bytes", v, got, n, len(p))
			}
			if _, n := varint(p[:len(p)-1]); n != 0 {
				t.Errorf("%d without its last byte is a number", v)
			}
		}
	}
}

// TestRowsThatAreTooLongAreNamed bounds what is put together in memory.
func TestRowsThatAreTooLongAreNamed(t *testing.T) {
	path := newFile(t, 4096)
	conn := openSQL(t, path)
	must(t, conn.Exec("INSERT INTO twin VALUES (1, zeroblob(100000), 2), (1, zeroblob(10), 2)"))
	must(t, conn.Close())
	r := openReader(t, path)
	var got []string
	must(t, r.Rows(3, 1000, func(number int64, values *Values) error {
		got = append(got, fmt.Sprint(number, values == nil))
		return nil
	}))
	if fmt.Sprint(got) != "[1 true 2 false]" {
		t.Error(got)
	}
}

// TestOtherFilesAreNotRead opens what pages alone do not tell.
func TestOtherFilesAreNotRead(t *testing.T) {
	for name, prepare := range map[string]string{"a log": "PRAGMA journal_mode = WAL", "UTF-16": "PRAGMA encoding = 'UTF-16'"} {
		path := filepath.Join(t.TempDir(), "f.db")
		conn := openSQL(t, path)
		must(t, conn.Exec(prepare+"; CREATE TABLE t (a)"))
		must(t, conn.Close())
		if r, err := OpenReader(path); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
			r.Close()
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, make([]byte, 200), 0o600))
	if _, err := OpenReader(empty); !errors.Is(err, ErrFile) {
		t.Error(err)
	}
}

// FuzzRows changes a file at will: its rows are read to an end, or it is damaged.
func FuzzRows(f *testing.F) {
	path := filepath.Join(f.TempDir(), "f.db")
	seed := func(t testing.TB) []byte {
		p := newFile(t, 512)
		write(t, p, rand.New(rand.NewPCG(3, 4)), 60)
		all, err := os.ReadFile(p)
		must(t, err)
		return all
	}
	whole := seed(f)
	f.Add(uint32(0), uint32(0), uint32(0), uint32(0))
	for _, at := range []uint32{512 + 3, 512 + 8, 1024, 1024 + 3, 1024 + 8, 2048, 2048 + 8} {
		f.Add(at, uint32(0x00ff_ffff), at+60, uint32(1))
	}
	f.Fuzz(func(t *testing.T, at, value, other, second uint32) {
		changed := append([]byte(nil), whole...)
		put := func(at, value uint32) {
			if at = at % uint32(len(changed)-4); at >= 100 {
				binary.BigEndian.PutUint32(changed[at:], value)
			}
		}
		put(at, value)
		put(other, second)
		must(t, os.WriteFile(path, changed, 0o600))
		r := openReader(t, path)
		for root := uint32(1); root < 5; root++ {
			err := r.Rows(root, math.MaxInt64, func(_ int64, values *Values) error {
				for {
					if _, ok, err := values.Next(); err != nil || !ok {
						return err
					}
				}
			})
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
		}
	})
}

func openReader(t testing.TB, path string) *Reader {
	r, err := OpenReader(path)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// read gives all rows of a table as texts.
func read(t *testing.T, path string, root uint32) (out []string) {
	t.Helper()
	must(t, openReader(t, path).Rows(root, math.MaxInt64, func(number int64, values *Values) error {
		line := fmt.Sprint(number)
		for {
			cell, ok, err := values.Next()
			if err != nil || !ok {
				out = append(out, line)
				return err
			}
			line += " " + textOf(cell)
		}
	}))
	return out
}

func textOf(c database.Cell) string {
	return fmt.Sprintf("%d:%d:%x:%q", c.Class, c.Int, math.Float64bits(c.Float), c.Bytes)
}

package database_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

// FuzzLocations parses addresses of databases: whatever is printed of one, its password is not.
func FuzzLocations(f *testing.F) {
	for _, seed := range [][2]string{{"postgres://user:%P@host/name?sslmode=disable", "se/cr@t:1"}, {"mysql://u:%P@[::1]:3306/d", "xxxxx1"}, {"sqlite:/srv/x.db", "p"}, {"sqlserver://h?user=a&password=%P", "a b&c"},
		{"oracle://u:%P@h:1521/s?password=%P", "päß wörd"}, {"postgres://u:%P@h/%P", "hunter2"}, {"://", "x"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, form, password string) {
		escaped, around := url.QueryEscape(password), strings.ReplaceAll(form, "%P", "")
		if len(password) < 6 || strings.Count(form, "%P") != 1 || strings.Contains(around, escaped) || strings.Contains(around, password) || strings.Contains("database.Location", password) {
			return
		}
		raw := strings.ReplaceAll(form, "%P", escaped)
		l, err := database.ParseLocation(raw)
		if err != nil {
			if scheme, _, _ := strings.Cut(form, ":"); strings.Contains(err.Error(), escaped) && !strings.Contains(scheme, "%P") {
				t.Errorf("%q: %v", raw, err)
			}
			return
		}
		u, err := url.Parse(raw)
		if err != nil || l.Scheme() == "sqlite" {
			return
		}
		if is, _ := u.User.Password(); is != password {
			return // it stands where no password does
		}
		json, _ := l.MarshalText()
		wrapped := l.Wrap("open", fmt.Errorf("login of %s failed", password))
		for _, shown := range []string{l.String(), fmt.Sprintf("%v %+v %#v", l, l, l), string(json), wrapped.Error()} {
			if strings.Contains(shown, escaped) || strings.Contains(shown, password) {
				t.Errorf("%q shows its password: %s", raw, shown)
			}
		}
	})
}

// FuzzCells takes rows apart and puts them together again.
func FuzzCells(f *testing.F) {
	b := database.NewBatch()
	b.Null()
	b.Int(-7)
	b.Float(2.5)
	b.String("text")
	b.Blob([]byte{0})
	b.EndRow()
	f.Add(bytes.Clone(b.Row(0)))
	f.Add([]byte{3, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 'x'})
	f.Fuzz(func(t *testing.T, row []byte) {
		out := database.NewBatch()
		defer out.Release()
		cells := 0
		for rest := row; len(rest) > 0; cells++ {
			c, after, err := database.NextCell(rest)
			if err != nil {
				return
			}
			out.Cell(c)
			rest = after
		}
		out.EndRow()
		read := make([]database.Cell, cells)
		if err := database.DecodeRow(read, out.Row(0)); err != nil {
			t.Fatalf("%x became %x: %v", row, out.Row(0), err)
		}
		again := database.NewBatch()
		defer again.Release()
		for _, c := range read {
			again.Cell(c)
		}
		again.EndRow()
		if !bytes.Equal(again.Row(0), out.Row(0)) {
			t.Fatalf("%x became %x, and then %x", row, out.Row(0), again.Row(0))
		}
		var d database.Digest
		if d.UnmarshalText(row) == nil && !strings.EqualFold(d.String(), string(row)) {
			t.Fatalf("%q is read as %s", row, d)
		}
	})
}

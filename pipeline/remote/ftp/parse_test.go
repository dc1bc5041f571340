package ftp_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/ftp"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestListingsOfManyServersAreRead(t *testing.T) {
	at := func(y, m, d, hh, mm int) time.Time { return time.Date(y, time.Month(m), d, hh, mm, 0, 0, time.UTC) }
	for _, test := range []struct {
		line string
		want ftp.Entry
	}{
		{"-rw-r--r--    1 1000     users       1234 Feb 28 23:59 name", ftp.Entry{Name: "name", Kind: ftp.File, Size: 1234, Modify: at(2026, 2, 28, 23, 59), Precision: time.Minute, Mode: 0o644, HasMode: true, UID: 1000, Group: "users"}},
		{"-rwsr-xr-T 1 a b 0 Nov 02 17:36  lead", ftp.Entry{Name: " lead", Kind: ftp.File, Modify: at(2025, 11, 2, 17, 36), Precision: time.Minute, Mode: 0o5754, HasMode: true, User: "a", Group: "b"}},
		{"drwxr-x--- 2 1 2 4096 Jan  1  2020 a b ", ftp.Entry{Name: "a b ", Kind: ftp.Directory, Modify: at(2020, 1, 1, 0, 0), Precision: 24 * time.Hour, Mode: 0o750, HasMode: true, UID: 1, GID: 2}},
		{"lrwxrwxrwx 1 1 1 7 Mar  1 11:00 l -> x -> y", ftp.Entry{Name: "l", Kind: ftp.Link, Target: "x -> y", Modify: at(2026, 3, 1, 11, 0), Precision: time.Minute, Mode: 0o777, HasMode: true, UID: 1, GID: 1}},
		{"-rw-r--r-- 1 DOMAIN Some Users 99 Feb 29 2024 x", ftp.Entry{Name: "x", Kind: ftp.File, Size: 99, Modify: at(2024, 2, 29, 0, 0), Precision: 24 * time.Hour, Mode: 0o644, HasMode: true}},
		{"-rw-r--r-- 1 u g 5 2025-07-08 09:10 iso", ftp.Entry{Name: "iso", Kind: ftp.File, Size: 5, Modify: at(2025, 7, 8, 9, 10), Precision: time.Minute, Mode: 0o644, HasMode: true, User: "u", Group: "g"}},
		{"crw-rw-rw- 1 0 0 1, 3 Jan 1 2020 null", ftp.Entry{Name: "null", Kind: ftp.Other, Modify: at(2020, 1, 1, 0, 0), Precision: 24 * time.Hour, Mode: 0o666, HasMode: true}},
		{"11-22-25  05:36PM       <DIR>          Program Files", ftp.Entry{Name: "Program Files", Kind: ftp.Directory, Modify: at(2025, 11, 22, 17, 36), Precision: time.Minute}},
		{"11-22-2025  05:36PM         1,234 x.txt", ftp.Entry{Name: "x.txt", Kind: ftp.File, Size: 1234, Modify: at(2025, 11, 22, 17, 36), Precision: time.Minute}},
	} {
		got, ok, err := ftp.ParseList(test.line, now, time.UTC)
		if err != nil || !ok || !got.Modify.Equal(test.want.Modify) {
			t.Errorf("%q: got %+v, %v, %v", test.line, got, ok, err)
			continue
		}
		got.Modify = test.want.Modify
		if got != test.want {
			t.Errorf("%q:\ngot  %+v\nwant %+v", test.line, got, test.want)
		}
	}
}

func TestALineThatCannotBeReadIsAnError(t *testing.T) {
	for _, line := range []string{"what", "-rw-r--r-- 1 u g x Feb 28 23:59 name", "-rw-r--r-- 1 u g 5 Feb 28 23:59", "drwx", "11-22-25  05:36PM       <DIR>"} {
		if e, ok, err := ftp.ParseList(line, now, time.UTC); err == nil {
			t.Errorf("%q: got %+v, %v, want an error", line, e, ok)
		}
	}
	for _, line := range []string{"", "nothing", "size=1; name", "type=file;size=x; name", "type=file;modify=1; name", "type=file;size=-1; n", "type=file; "} {
		if e, err := ftp.ParseFacts(line); err == nil {
			t.Errorf("%q: got %+v, want an error", line, e)
		}
	}
}

func TestFactsAreRead(t *testing.T) {
	got, err := ftp.ParseFacts("Modify=20230405060708.5;perm=adfrw;Size=12;TYPE=file;Unique=FE00U984AE1;UNIX.group=5;UNIX.mode=04755;UNIX.owner=7;UNIX.ownername=u; a b;c=d")
	want := ftp.Entry{Name: "a b;c=d", Kind: ftp.File, Size: 12, Modify: time.Date(2023, 4, 5, 6, 7, 8, 5e8, time.UTC), Precision: time.Second, Unique: "984AE1", Mode: 0o4755, HasMode: true, UID: 7, GID: 5, User: "u"}
	if err != nil || got != want {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func FuzzParseFacts(f *testing.F) {
	f.Add("type=file;size=1;modify=20200101000000;unique=1U2;UNIX.mode=0644; name")
	f.Add("type=OS.unix=slink:a;b; x")
	f.Fuzz(func(t *testing.T, line string) {
		e, err := ftp.ParseFacts(line)
		if err == nil && (e.Kind == 0 || e.Name == "" || e.Size < 0 || !strings.HasSuffix(line, e.Name)) {
			t.Errorf("%q: got %+v", line, e)
		}
	})
}

func FuzzParseList(f *testing.F) {
	f.Add("-rw-r--r--    1 1000     users       1234 Feb 28 23:59 name")
	f.Add("lrwxrwxrwx 1 1 1 7 Feb 29 11:00 l -> x")
	f.Add("11-22-25  05:36PM       <DIR>          Program Files")
	f.Fuzz(func(t *testing.T, line string) {
		e, ok, err := ftp.ParseList(line, now, time.UTC)
		if ok && (err != nil || e.Kind == 0 || e.Name == "" || e.Size < 0 || e.Modify.IsZero() || !strings.Contains(line, e.Name)) {
			t.Errorf("%q: got %+v, %v", line, e, err)
		}
	})
}

func TestNamesThatWouldBeCommandsAreRefused(t *testing.T) {
	s := connect(t, ftp.Options{Host: "127.0.0.1", Port: 1})
	for _, name := range []string{"/a\r\nDELE b", "/a\nb", "/a\x00", "/a\xff"} {
		if _, err := download(s, name, 0); !errors.Is(err, ftp.ErrName) {
			t.Errorf("%q: got %v, want ErrName", name, err)
		}
	}
}

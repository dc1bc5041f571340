package ftp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
)

// servers are the dialects.
var servers = map[string]func(testing.TB, ftptest.Options) *ftptest.Server{"proftpd": ftptest.Proftpd, "vsftpd": ftptest.Vsftpd}

// each runs a test against every server in every way of protection.
func each(t *testing.T, run func(t *testing.T, s *ftptest.Server)) {
	for name, start := range servers {
		for way, security := range map[string]ftp.Security{"clear": ftp.Clear, "explicit": ftp.Explicit, "implicit": ftp.Implicit} {
			t.Run(name+"/"+way, func(t *testing.T) { run(t, start(t, ftptest.Options{Security: security})) })
		}
	}
}

func connect(t *testing.T, o ftp.Options) *ftp.Server {
	t.Helper()
	s, err := ftp.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*31 + i>>9)
	}
	return b
}

func put(t *testing.T, s *ftptest.Server, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Disk, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Own(t)
}

func upload(s *ftp.Server, path string, content []byte) error {
	w, err := s.Create(context.Background(), path)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		w.Abort()
		return err
	}
	return w.Close()
}

func download(s *ftp.Server, path string, offset int64) ([]byte, error) {
	r, err := s.Open(context.Background(), path, offset)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestWhatIsUploadedComesBack(t *testing.T) {
	each(t, func(t *testing.T, s *ftptest.Server) {
		client := connect(t, s.Client())
		for _, size := range []int{0, 1, 100_000, 9<<20 + 7} {
			path, want := ftp.Join(s.Path, "ü ñ 'f' [1]"), pattern(size)
			if err := upload(client, path, want); err != nil {
				t.Fatalf("upload %d bytes: %v", size, err)
			}
			got, err := download(client, path, 0)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("download %d bytes: got %d, %v", size, len(got), err)
			}
			got, err = download(client, path, int64(size/2))
			if err != nil || !bytes.Equal(got, want[size/2:]) {
				t.Errorf("download from %d on: got %d, %v", size/2, len(got), err)
			}
		}
	})
}

func TestAListingTellsWhatIsThere(t *testing.T) {
	each(t, func(t *testing.T, s *ftptest.Server) {
		moment := time.Date(2019, 6, 1, 12, 34, 56, 0, time.UTC)
		for _, name := range []string{".hidden", " leading space", "a[1]*", "caf\xe9", "ünï", "-R", "x -> y"} {
			put(t, s, name, []byte("12345"))
			if err := os.Chtimes(filepath.Join(s.Disk, name), moment, moment); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("ünï", filepath.Join(s.Disk, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(s.Disk, "dir*"), 0o750); err != nil {
			t.Fatal(err)
		}
		s.Own(t)
		client := connect(t, s.Client())
		var l ftp.Listing
		err := client.Do(context.Background(), "list", s.Path, func(c *ftp.Conn) (err error) {
			l, err = c.ListAll(s.Path)
			return err
		})
		if err != nil || len(l.Problems) > 0 {
			t.Fatal(err, l.Problems)
		}
		var names []string
		for _, e := range l.Entries {
			names = append(names, e.Name)
			switch e.Name {
			case "link":
				if e.Kind != ftp.Link || e.Target != "ünï" {
					t.Errorf("got %+v for a link", e)
				}
			case "dir*":
				if e.Kind != ftp.Directory || e.Mode != 0o750 {
					t.Errorf("got %+v for a directory", e)
				}
			default:
				if e.Kind != ftp.File || e.Size != 5 || !e.Modify.Equal(moment) || e.Precision != time.Second || e.Mode != 0o644 {
					t.Errorf("got %+v", e)
				}
			}
		}
		slices.Sort(names)
		want := []string{" leading space", "-R", ".hidden", "a[1]*", "caf\xe9", "dir*", "link", "x -> y", "ünï"}
		if !slices.Equal(names, want) {
			t.Errorf("got  %q\nwant %q", names, want)
		}
	})
}

func TestMissingAndForbiddenAreToldApart(t *testing.T) {
	each(t, func(t *testing.T, s *ftptest.Server) {
		put(t, s, "secret", []byte("x"))
		if err := os.Chmod(filepath.Join(s.Disk, "secret"), 0); err != nil {
			t.Fatal(err)
		}
		client := connect(t, s.Client())
		if _, err := download(client, ftp.Join(s.Path, "never"), 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing: got %v", err)
		}
		if _, err := download(client, ftp.Join(s.Path, "secret"), 0); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("forbidden: got %v", err)
		}
	})
}

func TestAWrongPasswordIsDeniedAndNotRepeated(t *testing.T) {
	each(t, func(t *testing.T, s *ftptest.Server) {
		o := s.Client()
		o.Password = func(context.Context) (string, error) { return "wr0ng-s3cret", nil }
		err := connect(t, o).Do(context.Background(), "list", "/", func(*ftp.Conn) error { return nil })
		if !errors.Is(err, ftp.ErrDenied) || strings.Contains(err.Error(), "wr0ng") || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCertificatesAreChecked(t *testing.T) {
	for name, start := range servers {
		for _, security := range []ftp.Security{ftp.Explicit, ftp.Implicit} {
			t.Run(name, func(t *testing.T) {
				o := start(t, ftptest.Options{Security: security, Expired: true}).Client()
				nothing := func(*ftp.Conn) error { return nil }
				if err := connect(t, o).Do(context.Background(), "list", "/", nothing); !errors.Is(err, ftp.ErrUntrusted) || !strings.Contains(err.Error(), "expired") {
					t.Errorf("expired: got %v", err)
				}
				o.RootCAs = nil
				if err := connect(t, o).Do(context.Background(), "list", "/", nothing); !errors.Is(err, ftp.ErrUntrusted) {
					t.Errorf("unknown authority: got %v", err)
				}
			})
		}
	}
}

func TestTLSIsDemandedOrNothing(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			o := start(t, ftptest.Options{}).Client()
			o.Security = ftp.Explicit
			if err := connect(t, o).Do(context.Background(), "list", "/", func(*ftp.Conn) error { return nil }); !errors.Is(err, ftp.ErrUntrusted) {
				t.Errorf("got %v, want ErrUntrusted", err)
			}
		})
	}
}

func TestNobodyThereIsUnreachable(t *testing.T) {
	s := connect(t, ftp.Options{Host: "127.0.0.1", Port: 1})
	if err := s.Do(context.Background(), "list", "/", func(*ftp.Conn) error { return nil }); !errors.Is(err, ftp.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

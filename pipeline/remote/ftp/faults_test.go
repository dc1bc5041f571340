package ftp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
)

// breakers break the connections of a server.
var breakers = map[string]func(*testing.T, *ftptest.Server){
	"sessions": func(_ *testing.T, s *ftptest.Server) { s.Sessions() },
	"server":   func(t *testing.T, s *ftptest.Server) { s.Kill(); s.Start(t) },
}

func eachBreak(t *testing.T, run func(t *testing.T, s *ftptest.Server, breakIt func())) {
	for name, b := range breakers {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s *ftptest.Server) { run(t, s, func() { b(t, s) }) })
		})
	}
}

func TestADownloadGoesOnWhereItBroke(t *testing.T) {
	eachBreak(t, func(t *testing.T, s *ftptest.Server, breakIt func()) {
		want := pattern(24 << 20)
		put(t, s, "f", want)
		client := connect(t, s.Client())
		r, err := client.Open(context.Background(), ftp.Join(s.Path, "f"), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		head := make([]byte, 1<<20)
		if _, err := io.ReadFull(r, head); err != nil {
			t.Fatal(err)
		}
		breakIt()
		rest, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(append(head, rest...), want) {
			t.Errorf("got %d bytes, %v, want the %d of the file", len(head)+len(rest), err, len(want))
		}
	})
}

func TestAnUploadGoesOnWhereItBroke(t *testing.T) {
	eachBreak(t, func(t *testing.T, s *ftptest.Server, breakIt func()) {
		want := pattern(30 << 20)
		client := connect(t, s.Client())
		w, err := client.Create(context.Background(), ftp.Join(s.Path, "f"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if _, err := w.Write(want[i*10<<20 : (i+1)*10<<20]); err != nil {
				t.Fatalf("write part %d: %v", i, err)
			}
			if i < 2 {
				breakIt()
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(s.Disk, "f"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("the server has %d bytes, %v, want %d", len(got), err, len(want))
		}
	})
}

func TestManySmallUploadsOverTLSAreWhole(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, ftptest.Options{Security: ftp.Explicit})
			client := connect(t, s.Client())
			for i := range 12 {
				want := pattern(1<<20*(i%4) + i)
				if err := upload(client, ftp.Join(s.Path, "f"), want); err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(filepath.Join(s.Disk, "f")); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("upload %d: the server has %d bytes, %v, want %d", i, len(got), err, len(want))
				}
			}
		})
	}
}

func TestNoMoreConnectionsThanTheServerBears(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, ftptest.Options{Clients: 2})
			want := pattern(200_000)
			put(t, s, "f", want)
			o := s.Client()
			o.Connections = 6
			client := connect(t, o)
			var group sync.WaitGroup
			for range 6 {
				group.Go(func() {
					for range 10 {
						if got, err := download(client, ftp.Join(s.Path, "f"), 0); err != nil || !bytes.Equal(got, want) {
							t.Errorf("got %d bytes, %v", len(got), err)
						}
					}
				})
			}
			group.Wait()
			if n := client.Connections(); n > 2 {
				t.Errorf("the pool has %d connections, want at most 2", n)
			}
		})
	}
}

func TestAServerThatStaysAwayIsUnreachable(t *testing.T) {
	s := ftptest.Proftpd(t, ftptest.Options{})
	o := s.Client()
	o.Patience = 300 * time.Millisecond
	client := connect(t, o)
	look := func() error {
		return client.Do(context.Background(), "list", "/", func(c *ftp.Conn) error { _, err := c.ListAll("/"); return err })
	}
	if err := look(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := look(); !errors.Is(err, ftp.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
}

func TestAHalfReadFileLeavesTheConnectionUsable(t *testing.T) {
	each(t, func(t *testing.T, s *ftptest.Server) {
		put(t, s, "f", pattern(8<<20))
		o := s.Client()
		o.Connections = 1
		client := connect(t, o)
		for range 4 {
			r, err := client.Open(context.Background(), ftp.Join(s.Path, "f"), 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		if got, err := download(client, ftp.Join(s.Path, "f"), 0); err != nil || len(got) != 8<<20 {
			t.Errorf("then: got %d bytes, %v", len(got), err)
		}
	})
}

func TestAFullDiskIsTold(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t, ftptest.Options{Root: ftptest.SmallDisk(t, 2<<20)})
			for _, size := range []int{3 << 20, 20 << 20} {
				if err := upload(connect(t, s.Client()), ftp.Join(s.Path, fmt.Sprint(size)), pattern(size)); !errors.Is(err, ftp.ErrFull) {
					t.Errorf("%d bytes: got %v, want ErrFull", size, err)
				}
			}
		})
	}
}

func TestACancelledContextEndsATransfer(t *testing.T) {
	s := ftptest.Proftpd(t, ftptest.Options{})
	put(t, s, "f", pattern(24<<20))
	ctx, cancel := context.WithCancel(context.Background())
	r, err := connect(t, s.Client()).Open(ctx, "/f", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

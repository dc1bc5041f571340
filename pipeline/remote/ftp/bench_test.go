package ftp_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
)

const benchSize = 16 << 20

func benchServer(b *testing.B) (*ftptest.Server, *ftp.Server) {
	s := ftptest.Proftpd(b, ftptest.Options{})
	client, err := ftp.NewServer(s.Client())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	b.SetBytes(benchSize)
	b.ReportAllocs()
	return s, client
}

func BenchmarkDownload(b *testing.B) {
	s, client := benchServer(b)
	if err := os.WriteFile(filepath.Join(s.Disk, "f"), pattern(benchSize), 0o644); err != nil {
		b.Fatal(err)
	}
	buffer := make([]byte, 1<<20)
	for b.Loop() {
		r, err := client.Open(context.Background(), "/f", 0)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buffer); n != benchSize || err != nil {
			b.Fatal(n, err)
		}
		r.Close()
	}
}

func BenchmarkUpload(b *testing.B) {
	_, client := benchServer(b)
	content := pattern(benchSize)
	for b.Loop() {
		if err := upload(client, "/f", content); err != nil {
			b.Fatal(err)
		}
	}
}

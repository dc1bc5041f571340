package sftp_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

func BenchmarkRead(b *testing.B) {
	const size = 16 << 20
	server := sftptest.Start(b, "")
	file := filepath.Join(server.Disk, "f")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		b.Fatal(err)
	}
	client, err := sftp.NewServer(server.Client())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	buffer := make([]byte, 1<<20)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		r, err := client.Open(context.Background(), file, listed(make([]byte, size)))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buffer); n != size || err != nil {
			b.Fatal(n, err)
		}
		r.Close()
	}
}

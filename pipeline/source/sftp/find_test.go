package sftp

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

func TestWhoLooksForTheDirectoryDoesNotWaitForAnother(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	options := sftptest.InProcess(t, sftptest.InProcessOptions{}).Client()
	options.Port = silent.Addr().(*net.TCPAddr).Port
	server, err := sftp.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	d := &directory{Server: server}
	first, second := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, err := d.file(ctx, "")
		first <- err
	}()
	if _, err := silent.Accept(); err != nil { // the first waits for the server now
		t.Fatal(err)
	}
	over, end := context.WithCancel(t.Context())
	end()
	go func() {
		_, err := d.file(over, "")
		second <- err
	}()
	select {
	case err := <-second:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
	case err := <-first:
		t.Errorf("the second waits for the first, which ended with %v", err)
	}
}

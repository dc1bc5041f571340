package sftp_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

func try(t *testing.T, o sftp.Options) error {
	t.Helper()
	s, err := sftp.NewServer(o)
	if err != nil {
		return err
	}
	t.Cleanup(func() { s.Close() })
	return s.Do(context.Background(), "find", ".", func(c *sftp.Conn) error { _, err := c.RealPath(context.Background(), "."); return err })
}

func TestAServerIsTrustedByItsKeyAlone(t *testing.T) {
	server := sftptest.Start(t, "")
	if err := try(t, server.Client()); err != nil {
		t.Fatalf("known key: %v", err)
	}
	server.Know(t, server.ForeignKey(t))
	err := try(t, server.Client())
	if !errors.Is(err, sftp.ErrUntrusted) || !strings.Contains(err.Error(), server.KnownHosts+" line 1") || !strings.Contains(err.Error(), "ssh-keygen -R") {
		t.Errorf("another key: got %v, want the file and the cure", err)
	}
	if err := os.WriteFile(server.KnownHosts, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := try(t, server.Client()); !errors.Is(err, sftp.ErrUntrusted) || !strings.Contains(err.Error(), "ssh-keyscan -p") {
		t.Errorf("unknown key: got %v, want the cure", err)
	}
	if err := os.Remove(server.KnownHosts); err != nil {
		t.Fatal(err)
	}
	if err := try(t, server.Client()); !errors.Is(err, sftp.ErrUntrusted) || !strings.Contains(err.Error(), server.KnownHosts) {
		t.Errorf("no file: got %v, want its name", err)
	}
	o := server.Client()
	o.KnownHosts = nil
	if err := try(t, o); err == nil {
		t.Error("without known_hosts: got no error")
	}
}

func TestKeysFromFilesAndAgent(t *testing.T) {
	server := sftptest.Start(t, "")
	o := server.Client()
	file := server.NewKey(t, "encrypted", "correct horse")
	pass := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	o.Keys = []sftp.Key{{File: file, Passphrase: pass("correct horse")}}
	if err := try(t, o); err != nil {
		t.Errorf("encrypted key: %v", err)
	}
	for name, key := range map[string]sftp.Key{
		"wrong passphrase": {File: file, Passphrase: pass("wr0ng")}, "no passphrase": {File: file}, "no file": {File: file + ".none"}, "no key": {File: server.KnownHosts},
	} {
		o.Keys = []sftp.Key{key}
		if err := try(t, o); !errors.Is(err, sftp.ErrDenied) || !strings.Contains(err.Error(), key.File) || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("%s: got %v, want ErrDenied and the file", name, err)
		}
	}
	o.Keys, o.Agent = nil, startAgent(t, server.KeyFile)
	if err := try(t, o); err != nil {
		t.Errorf("agent: %v", err)
	}
	o.Agent = startAgent(t, "")
	if err := try(t, o); !errors.Is(err, sftp.ErrDenied) || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("a key that the server does not know: got %v, want ErrDenied", err)
	}
	o.Agent += ".none"
	if err := try(t, o); !errors.Is(err, sftp.ErrDenied) {
		t.Errorf("no agent: got %v, want ErrDenied", err)
	}
}

// startAgent serves the key in a file, or a new one, and returns the socket.
func startAgent(t *testing.T, file string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	held := agent.AddedKey{PrivateKey: key}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if held.PrivateKey, err = ssh.ParseRawPrivateKey(text); err != nil {
			t.Fatal(err)
		}
	}
	ring := agent.NewKeyring()
	if err := ring.Add(held); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "a")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn); conn.Close() }()
		}
	}()
	return socket
}

func TestPasswordsAreGivenAndNotRepeated(t *testing.T) {
	server := sftptest.InProcess(t, sftptest.InProcessOptions{Password: "pass w0rd"})
	o := server.Client()
	if err := try(t, o); err != nil {
		t.Fatal(err)
	}
	o.Password = func(context.Context) (string, error) { return "wr0ng", nil }
	if err := try(t, o); !errors.Is(err, sftp.ErrDenied) || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("got %v, want ErrDenied without the password", err)
	}
}

func TestAServerThatIsAwayIsUnreachable(t *testing.T) {
	server := sftptest.Start(t, "")
	o := server.Client()
	o.Patience = 300 * time.Millisecond
	s, err := sftp.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	look := func() error {
		return s.Do(context.Background(), "look at", server.Disk, func(c *sftp.Conn) error { _, err := c.Lstat(context.Background(), server.Disk); return err })
	}
	if err := look(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	for range 2 {
		if err := look(); !errors.Is(err, sftp.ErrUnreachable) || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("got %v, want ErrUnreachable and the host", err)
		}
	}
	if err := try(t, server.Client()); !errors.Is(err, sftp.ErrUnreachable) {
		t.Errorf("never reached: got %v, want ErrUnreachable", err)
	}
}

// listed is what a listing says of a file with this content, but for its time.
func listed(content []byte) sftp.Attributes { return sftp.Attributes{Size: uint64(len(content))} }

func TestAReadGoesOnWhereItBroke(t *testing.T) {
	for name, breakIt := range map[string]func(*sftptest.Server){
		"sessions": (*sftptest.Server).Sessions, "server": func(s *sftptest.Server) { s.Kill(); s.Restart(t) },
	} {
		t.Run(name, func(t *testing.T) {
			server := sftptest.Start(t, "")
			want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
			file := filepath.Join(server.Disk, "f")
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := sftp.NewServer(server.Client())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r, err := s.Open(context.Background(), file, listed(want))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			head := make([]byte, 5_000_000)
			if _, err := io.ReadFull(r, head); err != nil {
				t.Fatal(err)
			}
			breakIt(server)
			rest, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(append(head, rest...), want) {
				t.Fatalf("got %d bytes, %v", len(head)+len(rest), err)
			}
			if err := os.WriteFile(file, want[:100], 0o600); err != nil {
				t.Fatal(err)
			}
			breakIt(server)
			if is, err := r.Look(); !r.Same() || err != nil || is.Size != 100 {
				t.Errorf("another file then: it was the same is %v, and now it has %d bytes, %v", r.Same(), is.Size, err)
			}
		})
	}
}

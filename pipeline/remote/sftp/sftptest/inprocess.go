package sftptest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	pkg "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/packstone/packstone/pipeline/remote/sftp"
)

// InProcessOptions configure a server in the test's process.
type InProcessOptions struct {
	Password string
	// Forbidden, if set, is a path that nobody may list.
	Forbidden string
}

// Small is a server in the test's process, with files in memory. It supports no extension of
// OpenSSH.
type Small struct {
	options    InProcessOptions
	port       int
	knownHosts string
}

// InProcess starts a server that takes a password.
func InProcess(t testing.TB, o InProcessOptions) *Small {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if string(password) != o.Password {
			return nil, errors.New("wrong password")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &Small{options: o, port: l.Addr().(*net.TCPAddr).Port, knownHosts: filepath.Join(t.TempDir(), "known_hosts")}
	line := knownhosts.Line([]string{knownhosts.Normalize(l.Addr().String())}, signer.PublicKey())
	if err := os.WriteFile(s.knownHosts, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	handlers := s.handlers()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, config, handlers)
		}
	}()
	return s
}

// Client returns how to reach the server.
func (s *Small) Client() sftp.Options {
	return sftp.Options{
		Host: "127.0.0.1", Port: s.port, User: "someone", KnownHosts: []string{s.knownHosts},
		Password: func(context.Context) (string, error) { return s.options.Password, nil },
	}
}

func (s *Small) handlers() pkg.Handlers {
	h := pkg.InMemHandler()
	h.FileList = lister{h.FileList, s.options.Forbidden}
	return h
}

// lister forbids one path.
type lister struct {
	pkg.FileLister
	forbidden string
}

// Filelist implements sftp.FileLister.
func (l lister) Filelist(r *pkg.Request) (pkg.ListerAt, error) {
	if r.Method == "List" && r.Filepath == l.forbidden {
		return nil, pkg.ErrSSHFxPermissionDenied
	}
	return l.FileLister.Filelist(r)
}

func serve(conn net.Conn, config *ssh.ServerConfig, handlers pkg.Handlers) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		if c.ChannelType() != "session" {
			_ = c.Reject(ssh.UnknownChannelType, "")
			continue
		}
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				ok := r.Type == "subsystem"
				_ = r.Reply(ok, nil)
				if ok {
					go func() { _ = pkg.NewRequestServer(channel, handlers).Serve(); channel.Close() }()
				}
			}
		}()
	}
}

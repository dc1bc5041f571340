// Package sftptest starts an OpenSSH server for tests. A test without one installed is skipped, or
// fails if CI=true.
package sftptest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/packstone/packstone/pipeline/remote/servertest"
	"github.com/packstone/packstone/pipeline/remote/sftp"
)

// Server is a running server. Logins are those of the user who runs the test.
type Server struct {
	*servertest.Process

	Disk string // a directory for the test's files
	Port int
	// KnownHosts is a file with the server's key. KeyFile is a private key that the server accepts.
	KnownHosts, KeyFile string

	program   string
	arguments []string
	dir       string
}

// Start starts sshd. config is added to its configuration.
func Start(t testing.TB, config string) *Server {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/sshd")
	}
	if err != nil {
		missing(t, "sshd is not installed")
	}
	s := &Server{Disk: t.TempDir(), Port: servertest.FreePort(t), program: program, dir: t.TempDir()}
	s.arguments = []string{"-D", "-E", filepath.Join(s.dir, "log"), "-f", filepath.Join(s.dir, "conf")}
	host := s.newKey(t, "hostkey", "")
	mine := s.newKey(t, "userkey", "")
	s.KeyFile, s.KnownHosts = filepath.Join(s.dir, "userkey"), filepath.Join(s.dir, "known_hosts")
	s.write(t, "authorized", string(ssh.MarshalAuthorizedKey(mine)))
	s.Know(t, host)
	s.write(t, "conf", strings.Join([]string{
		fmt.Sprint("Port ", s.Port), "ListenAddress 127.0.0.1", "HostKey " + s.dir + "/hostkey", "PidFile none",
		"AuthorizedKeysFile " + s.dir + "/authorized", "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no",
		"PermitRootLogin prohibit-password", "MaxStartups 100", "Subsystem sftp internal-sftp", config, "",
	}, "\n"))
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd insists on it
			t.Fatal(err)
		}
	}
	s.Restart(t)
	return s
}

// newKey writes a private key to a file, encrypted if there is a passphrase.
func (s *Server) newKey(t testing.TB, name, passphrase string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, name, string(pem.EncodeToMemory(block)))
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// NewKey makes another key that the server accepts, encrypted if there is a passphrase, and returns
// its file.
func (s *Server) NewKey(t testing.TB, name, passphrase string) string {
	t.Helper()
	key := s.newKey(t, name, passphrase)
	f, err := os.OpenFile(filepath.Join(s.dir, "authorized"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(ssh.MarshalAuthorizedKey(key)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(s.dir, name)
}

// Know adds this key to KnownHosts as the server's.
func (s *Server) Know(t testing.TB, key ssh.PublicKey) {
	t.Helper()
	s.write(t, "known_hosts", knownhosts.Line([]string{knownhosts.Normalize(s.address())}, key)+"\n")
}

// ForeignKey makes a key that belongs to nobody.
func (s *Server) ForeignKey(t testing.TB) ssh.PublicKey { return s.newKey(t, "foreign", "") }

func (s *Server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func (s *Server) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Client returns how to reach the server.
func (s *Server) Client() sftp.Options {
	name := "root"
	if me, err := user.Current(); err == nil {
		name = me.Username
	}
	return sftp.Options{
		Host: "127.0.0.1", Port: s.Port, User: name, KnownHosts: []string{s.KnownHosts}, Keys: []sftp.Key{{File: s.KeyFile}},
		Timeout: 10 * time.Second, Patience: 20 * time.Second,
	}
}

// Restart starts the server, again after Kill.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Process = servertest.Start(t, exec.Command(s.program, s.arguments...), s.address(), func() string {
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return string(text)
	})
}

func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Package noticetest provides servers in the test's process that receive notices: by mail, and by
// webhooks and pings. Tests see what has arrived, and can make the servers refuse, fail or hang.
package noticetest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// SMTP is a mail server.
type SMTP struct {
	Host string
	Port int
	// Roots contains its certificate.
	Roots *x509.CertPool
	// PEM is its self-signed certificate.
	PEM []byte

	listener net.Listener
	tls      *tls.Config

	mu       sync.Mutex
	mails    []string
	password string // that is asked for; "": none
	refusal  string // to every recipient
	deaf     bool   // it greets nobody
}

// NewSMTP starts a server on the loopback address, which ends with the test. It demands the
// password, unless that is empty.
func NewSMTP(t testing.TB, password string) *SMTP {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &SMTP{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, listener: listener, password: password}
	s.tls, s.Roots, s.PEM = certificate(t)
	var served sync.WaitGroup
	served.Go(func() { s.serve(&served) })
	t.Cleanup(func() {
		listener.Close()
		served.Wait()
	})
	return s
}

// Refuse makes the server answer every recipient with a line such as "550 no such user"; "" revokes
// that.
func (s *SMTP) Refuse(line string) { s.mu.Lock(); s.refusal = line; s.mu.Unlock() }

// Deafen makes the server accept connections and never answer.
func (s *SMTP) Deafen() { s.mu.Lock(); s.deaf = true; s.mu.Unlock() }

// Mails returns the mails that have arrived, with their headers.
func (s *SMTP) Mails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.mails...)
}

func (s *SMTP) serve(served *sync.WaitGroup) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		served.Go(func() {
			defer conn.Close()
			s.talk(conn)
		})
	}
}

// session is one connection.
type session struct {
	*SMTP
	conn   net.Conn
	in     *bufio.Reader
	secure bool
	known  bool // who it is
}

func (s *SMTP) talk(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(time.Minute)) // a test that forgets to close
	c := &session{SMTP: s, conn: conn, in: bufio.NewReader(conn)}
	s.mu.Lock()
	deaf := s.deaf
	s.mu.Unlock()
	if deaf {
		_, _ = c.in.ReadString('\n')
		return
	}
	c.say("220 sink ESMTP")
	for {
		line, err := c.in.ReadString('\n')
		if err != nil || !c.answer(strings.TrimSpace(line)) {
			return
		}
	}
}

func (c *session) say(line string) { fmt.Fprintf(c.conn, "%s\r\n", line) }

// answer answers a command, and reports whether the session continues.
func (c *session) answer(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO":
		c.greet()
	case "STARTTLS":
		c.say("220 go ahead")
		c.conn = tls.Server(c.conn, c.tls)
		c.in, c.secure = bufio.NewReader(c.conn), true
	case "AUTH":
		c.authenticate(rest)
	case "RCPT":
		c.say(c.recipient())
	case "DATA":
		c.say("354 end with a dot")
		c.take()
	case "QUIT":
		c.say("221 bye")
		return false
	default:
		c.say("250 OK")
	}
	return true
}

func (c *session) greet() {
	switch {
	case !c.secure:
		c.say("250-sink")
		c.say("250 STARTTLS")
	case c.password != "":
		c.say("250-sink")
		c.say("250 AUTH PLAIN")
	default:
		c.say("250 sink")
	}
}

// authenticate handles AUTH PLAIN with its initial response.
func (c *session) authenticate(rest string) {
	_, encoded, _ := strings.Cut(rest, " ")
	text, _ := base64.StdEncoding.DecodeString(encoded)
	if words := strings.Split(string(text), "\x00"); len(words) == 3 && words[2] == c.password {
		c.known = true
		c.say("235 welcome")
		return
	}
	c.say("535 5.7.8 wrong user or password")
}

func (c *session) recipient() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.password != "" && !c.known:
		return "530 5.7.0 log in first"
	case c.refusal != "":
		return c.refusal
	}
	return "250 OK"
}

// take reads a mail up to the final dot.
func (c *session) take() {
	var mail strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimRight(line, "\r\n") == "." {
			break
		}
		mail.WriteString(line)
	}
	c.mu.Lock()
	c.mails = append(c.mails, mail.String())
	c.mu.Unlock()
	c.say("250 taken")
}

// certificate returns a self-signed certificate for the loopback address.
func certificate(t testing.TB) (*tls.Config, *x509.CertPool, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Package ftp provides connections to an FTP server, in clear or with TLS, that a source and a
// target share. It replaces a broken connection, continues a transfer where it stopped, and uses no
// more connections than the server allows.
//
// Commands and transfers use github.com/jlaffaye/ftp. Listings are read here from the data
// connection, since that library drops lines that it cannot read, and facts that distinguish
// versions of a file.
package ftp

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Security is how a connection is protected.
type Security uint8

const (
	// Clear is no protection: anyone on the way can read password and files.
	Clear Security = iota
	// Explicit starts in clear and demands TLS before anything else (ftpes). It never falls back.
	Explicit
	// Implicit is TLS from the first byte (ftps, port 990).
	Implicit
)

// Options determine which server to use, and how. Host is required.
type Options struct {
	Host string
	Port int // default: 21, or 990 for Implicit
	// User defaults to anonymous.
	User string
	// Password is called once per connection; nil means no password, or "anonymous" for that user.
	Password func(ctx context.Context) (string, error)

	Security Security
	// RootCAs are trusted instead of the system's, for a private CA.
	RootCAs *x509.CertPool
	// ServerName is the name in the certificate (default: Host).
	ServerName string

	// Connections is the largest number of open connections (default: 16). If the server allows
	// fewer, fewer are used.
	Connections int
	// Timeout is how long the server may be silent (default: 1 min).
	Timeout time.Duration
	// Patience is how long a server that was reached before may be away before it counts as
	// unreachable (default: 1 min).
	Patience time.Duration

	// NoMLSD uses LIST even if the server supports MLSD, for servers whose MLSD is broken.
	NoMLSD bool
	// TrustMLSD omits the additional listing by LIST after each MLSD. By MLSD, some servers do not
	// show where symbolic links lead, and hide those that lead nowhere.
	TrustMLSD bool
	// Location is the time zone of LIST. If nil, it is found by comparison with MDTM, else UTC.
	Location *time.Location
}

func (o Options) complete() (Options, error) {
	if o.Host == "" {
		return o, errors.New("ftp: no host given")
	}
	if strings.ContainsAny(o.User, "\r\n\x00") {
		return o, errors.New("ftp: the user's name has a line break in it")
	}
	port := 21
	if o.Security == Implicit {
		port = 990
	}
	o.Port = cmp.Or(o.Port, port)
	if o.Port < 1 || o.Port > 65535 {
		return o, fmt.Errorf("ftp: there is no port %d", o.Port)
	}
	o.User = cmp.Or(o.User, "anonymous")
	o.ServerName = cmp.Or(o.ServerName, o.Host)
	o.Connections = max(1, cmp.Or(o.Connections, 16))
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	o.Patience = cmp.Or(o.Patience, time.Minute)
	return o, nil
}

func (o *Options) address() string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }

func (o *Options) password(ctx context.Context) (string, error) {
	if o.Password != nil {
		return o.Password(ctx)
	}
	if o.User == "anonymous" {
		return "anonymous", nil
	}
	return "", nil
}

// tls returns the configuration for a control connection and its data connections. They share a
// session cache, since servers refuse a data connection that does not resume the session of its
// control connection.
func (o *Options) tls() *tls.Config {
	return &tls.Config{RootCAs: o.RootCAs, ServerName: o.ServerName, ClientSessionCache: tls.NewLRUClientSessionCache(4), MinVersion: tls.VersionTLS12}
}

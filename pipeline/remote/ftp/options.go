// Package ftp holds connections to an FTP server, in clear or by TLS, for a source and a target to
// share. A connection that breaks is replaced, a transfer goes on where it stopped, and no more
// connections are used than the server bears.
//
// Commands and transfers are those of github.com/jlaffaye/ftp. Listings are read here from the data
// connection, since that library drops lines that it cannot read and the facts that tell versions
// of a file apart.
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

// Security says how a connection is protected.
type Security uint8

const (
	// Clear is no protection at all: whoever is on the way reads password and files.
	Clear Security = iota
	// Explicit starts in clear and demands TLS before anything is said (ftpes). There is no falling
	// back.
	Explicit
	// Implicit is TLS from the first byte (ftps, port 990).
	Implicit
)

// Options say which server and how. Host is required.
type Options struct {
	Host string
	Port int // default: 21, or 990 for Implicit
	// User defaults to anonymous.
	User string
	// Password is asked once per connection; nil: none, or "anonymous" for the user of that name.
	Password func(ctx context.Context) (string, error)

	Security Security
	// RootCAs are trusted instead of the system's, as for a private CA.
	RootCAs *x509.CertPool
	// ServerName is what the certificate must be made out to (default: Host).
	ServerName string

	// Connections is the most that are open at once (default: 16). If the server bears fewer, fewer
	// are used.
	Connections int
	// Timeout is how long the server may be silent (default: 1 min).
	Timeout time.Duration
	// Patience is how long a server that was reached before may be away before it counts as
	// unreachable (default: 1 min).
	Patience time.Duration

	// NoMLSD lists by LIST even where the server knows MLSD, for servers whose MLSD is broken.
	NoMLSD bool
	// TrustMLSD does without a listing by LIST beside each by MLSD. Some servers do not tell by
	// MLSD where symbolic links lead, and hide those that lead nowhere.
	TrustMLSD bool
	// Location is the time zone of times in LIST. nil: it is found by comparing with MDTM, or UTC.
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

// tls is the configuration of one control connection and its data connections. They share a session
// cache, since servers take a data connection for stolen that does not resume the session of its
// control connection.
func (o *Options) tls() *tls.Config {
	return &tls.Config{RootCAs: o.RootCAs, ServerName: o.ServerName, ClientSessionCache: tls.NewLRUClientSessionCache(4), MinVersion: tls.VersionTLS12}
}

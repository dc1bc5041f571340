// Package sftp provides connections to an SFTP server that a source and a target share. The
// server's key must be known beforehand. Several callers use each connection at once, and a broken
// one is replaced.
package sftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Key is a private key in a file.
type Key struct {
	File string
	// Passphrase is called if the key is encrypted.
	Passphrase func(ctx context.Context) (string, error)
	// Optional skips a key that cannot be used: one at a usual place, which nobody has named.
	Optional bool
}

// Options determine which server to use, and how. Host, User and KnownHosts are required, and one
// way to log in.
type Options struct {
	Host string
	Port int // default: 22
	User string

	// KnownHosts are files with keys of servers, in the format of OpenSSH. A server whose key is in
	// none of them is refused.
	KnownHosts []string

	Keys []Key
	// Agent is the socket of an agent that holds keys; empty for none. It need not be running if
	// there is another way to log in.
	Agent string
	// Password is called once per connection, if keys do not suffice or there are none.
	Password func(ctx context.Context) (string, error)

	// Connections is the largest number of open connections (default: 4). Each serves many callers,
	// and a further one is made when there are many.
	Connections int
	// Timeout is how long the server may be silent (default: 1 min).
	Timeout time.Duration
	// Patience is how long a server that was reached before may be away before it counts as
	// unreachable (default: 1 min).
	Patience time.Duration
}

func (o Options) complete() (Options, error) {
	o.Port = cmp.Or(o.Port, 22)
	o.Connections = max(1, cmp.Or(o.Connections, 4))
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	o.Patience = cmp.Or(o.Patience, time.Minute)
	switch {
	case o.Host == "":
		return o, errors.New("sftp: no host given")
	case o.User == "":
		return o, fmt.Errorf("sftp: no user given for %s", o.Host)
	case o.Port < 1 || o.Port > 65535:
		return o, fmt.Errorf("sftp: there is no port %d", o.Port)
	case len(o.KnownHosts) == 0:
		return o, fmt.Errorf("sftp: no known_hosts file given for %s, so that it could not be told from another server", o.Host)
	case len(o.Keys) == 0 && o.Agent == "" && o.Password == nil:
		return o, fmt.Errorf("sftp: neither key nor agent nor password given for %s at %s", o.User, o.Host)
	}
	return o, nil
}

func (o *Options) address() string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }

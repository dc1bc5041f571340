package config

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/sftp"
)

// Remote is the address of a directory on a file server. It prints without its password.
type Remote struct {
	Scheme string // ftp, ftpes, ftps or sftp
	User   string // empty: not said
	Host   string
	Port   int // 0: the scheme's own
	// Path is absolute, or relative to the directory in which a login begins; empty is that
	// directory.
	Path string

	password    string
	hasPassword bool
}

// remoteSchemes are the known schemes, with the security of FTP. For SFTP the value has no meaning.
var remoteSchemes = map[string]ftp.Security{"ftp": ftp.Clear, "ftpes": ftp.Explicit, "ftps": ftp.Implicit, "sftp": 0}

// IsRemote reports whether the scheme of an address is that of a file server.
func IsRemote(address string) bool {
	scheme, _, ok := strings.Cut(address, "://")
	_, known := remoteSchemes[strings.ToLower(scheme)]
	return ok && known
}

// ParseRemote parses ftp://, ftpes:// (TLS that begins after the greeting), ftps:// (TLS from the
// first byte) and sftp://, with [user@]host[:port][/path]. /~/path is relative to the directory in
// which a login begins, and so is an empty path. The error does not repeat a password.
func ParseRemote(address string) (Remote, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Remote{}, errors.New("parse the URL of a server: not a valid URL")
	}
	r := Remote{Scheme: strings.ToLower(u.Scheme), User: u.User.Username(), Host: u.Hostname(), Path: u.Path}
	r.password, r.hasPassword = u.User.Password()
	switch _, known := remoteSchemes[r.Scheme]; {
	case !known:
		return r, fmt.Errorf("%s://: want ftp://, ftpes://, ftps:// or sftp://", u.Scheme)
	case r.Host == "":
		return r, fmt.Errorf("%s: names no host", u.Redacted())
	case strings.Contains(r.Host, ":") && !isIPv6(r.Host):
		return r, fmt.Errorf("%s: %s is no host", u.Redacted(), r.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return r, fmt.Errorf("%s://%s/…: an address has no ? or #; write %%3F or %%23 for one in a path", r.Scheme, r.Host)
	case slices.Contains(strings.Split(r.Path, "/"), ".."):
		return r, fmt.Errorf("%s: the path leads upwards", u.Redacted())
	}
	if text := u.Port(); text != "" {
		if r.Port, err = strconv.Atoi(text); err != nil || r.Port < 1 || r.Port > 65535 {
			return r, fmt.Errorf("%s: there is no port %s", u.Redacted(), text)
		}
	}
	if below, ok := strings.CutPrefix(r.Path+"/", "/~/"); ok {
		r.Path = strings.Trim(below, "/")
	} else if r.Path != "" {
		r.Path = path.Clean(r.Path)
	}
	return r, nil
}

func isIPv6(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is6()
}

// HasPassword reports whether the address contains a password.
func (r Remote) HasPassword() bool { return r.hasPassword }

// String returns the address without its password.
func (r Remote) String() string {
	u := url.URL{Scheme: r.Scheme, Host: r.Host, Path: r.Path}
	if strings.Contains(r.Host, ":") {
		u.Host = "[" + r.Host + "]"
	}
	if r.Port != 0 {
		u.Host = net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	}
	if r.User != "" {
		u.User = url.User(r.User)
	}
	if r.Path != "" && r.Path[0] != '/' {
		u.Path = "/~/" + r.Path
	}
	return u.String()
}

// GoString hides the password from %#v.
func (r Remote) GoString() string { return "config.Remote(" + r.String() + ")" }

// ReadRemote reads a file that holds the address of a server.
func ReadRemote(file string) (Remote, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Remote{}, fmt.Errorf("read the URL of a server: %w", err)
	}
	r, err := ParseRemote(strings.TrimSpace(string(text)))
	if err != nil {
		return r, fmt.Errorf("read the URL of a server from %s: %w: %w", file, ErrInvalid, err)
	}
	return r, nil
}

// RemoteLogin is how to log in to file servers if the settings do not say. Secrets are requested
// when a server needs them.
type RemoteLogin struct {
	User       string // for SFTP
	Password   func(ctx context.Context) (string, error)
	Passphrase func(ctx context.Context) (string, error) // of a key that is encrypted
	CAFile     string                                    // certificates that are trusted instead of the system's
	KnownHosts []string
	Keys       []sftp.Key
	Agent      string // the socket of an agent that holds keys
	// Connections is the largest number of open connections; 0 means the protocol's default.
	Connections int
	// Patience is how long an SFTP server that was reached before may be away; 0 means the default.
	Patience time.Duration
}

// secretFile returns a function that reads a secret from a file.
func secretFile(file string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read a password: %w", err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
}

// secret returns the password in the address, or the one known otherwise.
func (r Remote) secret(login RemoteLogin) func(context.Context) (string, error) {
	if r.hasPassword {
		return func(context.Context) (string, error) { return r.password, nil }
	}
	return login.Password
}

// ftpServer returns the pool of connections for an FTP address. It does not connect.
func (r Remote) ftpServer(login RemoteLogin) (*ftp.Server, error) {
	o := ftp.Options{
		Host: r.Host, Port: r.Port, User: r.User, Password: r.secret(login), Security: remoteSchemes[r.Scheme], Connections: login.Connections,
	}
	if r.User == "" && !r.hasPassword {
		o.Password = nil // anonymous: a password that is meant for somebody else stays here
	}
	var err error
	if o.RootCAs, err = readCAs(login.CAFile); err != nil {
		return nil, err
	}
	return ftp.NewServer(o)
}

// user returns the user for SFTP.
func (r Remote) user(login RemoteLogin) string { return cmp.Or(r.User, login.User) }

// sftpServer returns the pool of connections for an SFTP address. It does not connect.
func (r Remote) sftpServer(login RemoteLogin) (*sftp.Server, error) {
	if r.secret(login) == nil && len(login.Keys) == 0 && login.Agent == "" {
		return nil, fmt.Errorf("%w: neither key nor password is known for %s: name one with key_file or password_file in the settings, or "+
			"with PACKSTONE_REMOTE_KEY_FILE or PACKSTONE_REMOTE_PASSWORD_FILE", ErrInvalid, r)
	}
	return sftp.NewServer(sftp.Options{
		Host: r.Host, Port: r.Port, User: r.user(login), Password: r.secret(login), KnownHosts: login.KnownHosts,
		Keys: login.Keys, Agent: login.Agent, Connections: login.Connections, Patience: login.Patience,
	})
}

// readCAs reads certificates of authorities; nil if file is empty.
func readCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the certificates of authorities: %w: %s holds none", ErrInvalid, file)
	}
	return pool, nil
}

// FindServer parses what a flag names: a URL, or a file that contains one. It returns the file
// server (a Remote) or bucket (a Bucket), or nil if it is something else.
func FindServer(flag, url, file string) (server any, err error) {
	switch {
	case file != "":
		return serverIn(flag, file)
	case IsBucket(url):
		bucket, err := ParseBucket(url)
		if err != nil {
			return nil, catalog.Misuse("%s: %w", flag, err)
		}
		return bucket, nil
	case !IsRemote(url):
		return nil, nil
	}
	remote, err := ParseRemote(url)
	if err != nil {
		return nil, catalog.Misuse("%s: %w", flag, err)
	}
	if remote.HasPassword() {
		return nil, catalog.Misuse("%s: a password on the command line can be read by others; leave it out and put it into PACKSTONE_REMOTE_PASSWORD or "+
			"PACKSTONE_REMOTE_PASSWORD_FILE, or put the whole URL into a file for %s-file", flag, flag)
	}
	return remote, nil
}

func serverIn(flag, file string) (any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read %s-file: %w", flag, err)
	}
	if !IsRemote(strings.TrimSpace(string(text))) {
		return nil, nil
	}
	remote, err := ReadRemote(file)
	if err != nil {
		return nil, err
	}
	return remote, nil
}

package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// DefaultListen is where the page is served if the settings name no address.
const DefaultListen = "127.0.0.1:8484"

// socketScheme begins the address of a Unix socket.
const socketScheme = "unix:"

// Serve says what packstone run serves over HTTP, and who may see it.
type Serve struct {
	Listen  string `yaml:"listen,omitempty" doc:"The address, such as 127.0.0.1:8484, or unix:PATH for a socket. /healthz and /readyz are served there. The page is at 127.0.0.1:8484 unless this says otherwise."`
	Metrics bool   `yaml:"metrics,omitempty" doc:"Serve /metrics for Prometheus too."`
	Page    bool   `yaml:"page,omitempty" doc:"Serve the page, which shows the backups in a browser. At an address that other machines reach it needs token_file or identity_header."`

	Scratch string `yaml:"scratch,omitempty" doc:"A directory below which the page restores for people to look at what comes back, each time into a new folder. Without it the page writes the commands alone."`

	TokenFile      string   `yaml:"token_file,omitempty" doc:"A file that holds the token with which one logs in to the page: at least 16 characters."`
	IdentityHeader string   `yaml:"identity_header,omitempty" doc:"The header in which a proxy names who has logged in there, such as X-Forwarded-User. It counts from trusted_proxies alone."`
	TrustedProxies []string `yaml:"trusted_proxies,omitempty" doc:"Addresses and networks of the proxies whose identity_header counts: 10.0.0.7 or 10.0.0.0/24."`
	TLSCertFile    string   `yaml:"tls_cert_file,omitempty" doc:"A file with the certificate for HTTPS and those that it rests on, as PEM."`
	TLSKeyFile     string   `yaml:"tls_key_file,omitempty" doc:"A file with the private key of that certificate, as PEM."`
}

func (s *Serve) check(d *decoder) {
	if s.Page && s.Listen == "" {
		s.Listen = DefaultListen
	}
	for _, path := range []*string{&s.TokenFile, &s.TLSCertFile, &s.TLSKeyFile, &s.Scratch} {
		*path = d.resolve(*path)
	}
	s.checkAddress(d)
	s.checkProxies(d)
	if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
		d.problemAt("serve", "tls_cert_file and tls_key_file go together; set both or neither")
	}
	if !s.Page && (s.TokenFile != "" || s.IdentityHeader != "") {
		d.problemAt("serve", "token_file and identity_header guard the page, which is not served; set page: true, or leave them out")
	}
	if !s.Page && s.Scratch != "" {
		d.problemAt("serve.scratch", "is for the page, which is not served; set page: true, or leave it out")
	}
	if s.Page && !s.Guarded() && !IsLocal(s.Listen) {
		d.problemAt("serve.listen", "%s is reached from other machines, and nothing says who may see the page there: set token_file, or identity_header and trusted_proxies", s.Listen)
	}
}

// Guarded reports whether people must show who they are to see the page.
func (s *Serve) Guarded() bool { return s.TokenFile != "" || s.IdentityHeader != "" }

func (s *Serve) checkAddress(d *decoder) {
	if s.Listen == "" {
		if _, given := d.lines["serve"]; given {
			d.problemAt("serve", "names no address: set listen, such as %s", DefaultListen)
		}
		return
	}
	if path, isSocket := Socket(s.Listen); isSocket {
		if path == "" {
			d.problemAt("serve.listen", "unix: is followed by the path of a socket")
		}
		s.Listen = socketScheme + d.resolve(path)
		return
	}
	if _, port, err := net.SplitHostPort(s.Listen); err != nil || port == "" {
		d.problemAt("serve.listen", "%q is not an address such as 127.0.0.1:8484", s.Listen)
	}
}

func (s *Serve) checkProxies(d *decoder) {
	if s.IdentityHeader != "" && len(s.TrustedProxies) == 0 {
		d.problemAt("serve.identity_header", "anyone can send a header: name in trusted_proxies from where it counts")
	}
	if s.IdentityHeader == "" && len(s.TrustedProxies) > 0 {
		d.problemAt("serve.trusted_proxies", "are trusted with nothing: set identity_header too")
	}
	if strings.ContainsAny(s.IdentityHeader, " :\t") {
		d.problemAt("serve.identity_header", "%q is not the name of a header", s.IdentityHeader)
	}
	networks, err := s.Proxies()
	if err != nil {
		d.problemAt("serve.trusted_proxies", "%v", err)
	}
	if slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Bits() == 0 }) {
		d.problemAt("serve.trusted_proxies", "trusts everybody, who could then say to be anybody: name the proxies' addresses")
	}
}

// Proxies returns the networks whose identity header counts.
func (s *Serve) Proxies() (networks []netip.Prefix, err error) {
	for _, text := range s.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); single == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/24", text)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// Socket returns the path of the Unix socket that an address names.
func Socket(address string) (path string, isSocket bool) {
	return strings.CutPrefix(address, socketScheme)
}

// IsLocal reports whether only programs on this machine reach an address.
func IsLocal(address string) bool {
	if _, isSocket := Socket(address); isSocket {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil || strings.EqualFold(host, "localhost") {
		return err == nil
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

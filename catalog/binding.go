package catalog

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/crypto"
)

// Standing is whether the owner lets the writer of a snapshot speak for the host that the snapshot
// names.
type Standing uint8

// The standings.
const (
	Bound   Standing = iota // the owner has admitted the writer for this host
	Unbound                 // the owner has admitted the writer without saying for which hosts
	Outside                 // the owner has admitted the writer for other hosts only
)

// String returns the word for the standing.
func (s Standing) String() string { return [...]string{"bound", "unbound", "outside"}[s] }

// RoleBackdate is the role of writers whose records may claim a time before the store's date.
const RoleBackdate = "backdate"

// Binding is the set of hosts that a writer could speak for until the owner changed it.
type Binding struct {
	Hosts     []string          `json:"hosts,omitzero"` // patterns; nil: any host, and then unbound
	LastValid map[string]uint64 `json:"last_valid"`     // lane → the last record that this binding holds for

	unknown unknown
}

// AnyHost is the pattern that matches every host.
const AnyHost = "*"

// CheckHosts returns an error unless patterns holds at least one pattern of hosts, and all are
// valid for path.Match, such as web-*, and can match the name of a host.
func CheckHosts(patterns []string) error {
	if len(patterns) == 0 {
		return fmt.Errorf("no host: want a name, a pattern such as web-*, or * for any: %w", ErrBadName)
	}
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" || strings.ContainsAny(pattern, " ,/\\") || !entry.IsPrintable(pattern) {
			return fmt.Errorf("host pattern %q: want a name without spaces, commas and slashes, a pattern such as web-*, or * for any: %w", pattern, ErrBadName)
		}
	}
	return nil
}

// CheckRoles returns an error if a role is not one that an owner can give.
func CheckRoles(roles []string) error {
	for _, role := range roles {
		if role != RoleBackdate {
			return fmt.Errorf("role %q: want %s, the only one that there is: %w", role, RoleBackdate, ErrBadName)
		}
	}
	return nil
}

// Name returns the name that the member signs with, empty if its key cannot be read.
func (m *Member) Name() string {
	v, err := crypto.ParseVerifier(m.Key)
	if err != nil {
		return ""
	}
	return v.Name()
}

// standing reports whether the member may speak for the host of a snapshot that it has committed as
// record sequence of a lane. A snapshot that was unbound then is bound if the owner has admitted
// the member for its host since.
func (m *Member) standing(lane string, sequence uint64, host string) Standing {
	now := standing(m.Hosts, host)
	for _, b := range m.Earlier {
		if sequence > b.LastValid[lane] {
			continue
		}
		if then := standing(b.Hosts, host); then != Unbound || now != Bound {
			return then
		}
		break
	}
	return now
}

// MaySpeakFor reports whether snapshots that the member makes from now on may be of host.
func (m *Member) MaySpeakFor(host string) bool { return standing(m.Hosts, host) != Outside }

// Rebind changes the hosts that a member may speak for. The standing of its records up to log stays
// the same.
func (m *Member) Rebind(hosts []string, log *Log) {
	before := Binding{Hosts: m.Hosts, LastValid: log.LastOf(m.Name())}
	m.Earlier = append(slices.Clone(m.Earlier), before)
	m.Hosts = hosts
}

// backdaters returns the names of the writers with RoleBackdate.
func (c *Config) backdaters() map[string]bool {
	names := map[string]bool{}
	for _, m := range c.Writers {
		if slices.Contains(m.Roles, RoleBackdate) {
			names[m.Name()] = true
		}
	}
	return names
}

// standing returns the standing of a writer with these host patterns towards host.
func standing(hosts []string, host string) Standing {
	if hosts == nil {
		return Unbound
	}
	for _, pattern := range hosts {
		if ok, _ := path.Match(pattern, host); ok || pattern == AnyHost {
			return Bound
		}
	}
	return Outside
}

// standing returns the standing of a writer towards the host of a snapshot that it has committed
// with rec.
func (r *Repository) standing(rec *Record, host string) Standing {
	m, _, _ := member(r.Config.Writers, rec.Lane.Writer)
	return m.standing(rec.Lane.String(), rec.Sequence, host)
}

// OnlyHost returns the host that the writer whose key is at hand may speak for. It returns "" if
// there is none, several, or a pattern.
func (r *Repository) OnlyHost() string {
	w, err := r.Writer()
	if err != nil {
		return ""
	}
	m, _, _ := member(r.Config.Writers, w.Signer.Name())
	return m.OnlyHost()
}

// OnlyHost returns the host that the member may speak for. It returns "" if there is none, several,
// or a pattern.
func (m *Member) OnlyHost() string {
	if len(m.Hosts) != 1 || strings.ContainsAny(m.Hosts[0], `*?[\`) {
		return ""
	}
	return m.Hosts[0]
}

// MaySpeakFor fails with ErrOutside if the owner has not admitted the writer whose key is at hand
// for this host.
func (r *Repository) MaySpeakFor(host string) error {
	w, err := r.Writer()
	if err != nil {
		return err
	}
	m, _, _ := member(r.Config.Writers, w.Signer.Name())
	if m.MaySpeakFor(host) {
		return nil
	}
	return fmt.Errorf("the key of writer %s is for the hosts %s, not for %q: name one of them with --host, or let the owner admit it for this "+
		"one (packstone key writer bind): %w", w.Signer.Name(), strings.Join(m.Hosts, ", "), host, ErrOutside)
}
